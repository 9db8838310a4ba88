//! What the agent does with ECDS, as Envoy, the control plane and the library of modules see it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that goes wrong should stop where it does"
)]

#[path = "ecds/convert.rs"]
mod convert;
#[path = "ecds/corpus.rs"]
mod corpus;
#[path = "support/library.rs"]
#[allow(dead_code, reason = "other test programs use more of it")]
mod library;
#[path = "support/ecds.rs"]
mod messages;
#[path = "ecds/model.rs"]
mod model;
#[path = "ecds/offline.rs"]
mod offline;
#[path = "ecds/order.rs"]
mod order;
#[path = "ecds/policy.rs"]
mod policy;
#[path = "ecds/refusal.rs"]
mod refusal;
#[path = "ecds/stage.rs"]
mod stage;
#[path = "support/typed_struct.rs"]
mod structs;
#[path = "ecds/subscription.rs"]
mod subscription;
#[path = "ecds/timing.rs"]
mod timing;
#[path = "ecds/typed_struct.rs"]
mod typed_struct;
#[path = "ecds/wire.rs"]
mod wire;
