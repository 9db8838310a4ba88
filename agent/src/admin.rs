//! What there is to see, over HTTP.
