//! Properties and foreign functions as a guest has them. What real Envoys answer is in `envoy/differential`; here is
//! what a test can say of the proxy, and what the recordings do not have.

#[cfg(test)]
mod attributes {
    mod foreign;
    mod guest;
    mod property;
}
