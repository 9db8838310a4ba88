//! What several filters need, as functions they call: a kit, not a framework.
//!
//! | module     | gives                                                                         |
//! |------------|-------------------------------------------------------------------------------|
//! | [`config`] | reads JSON configuration and refuses it whole, naming every problem it has    |
//! | [`header`] | says whether bytes may be a header's name or value                            |
//!
//! A filter may use any part without the others. A thing enters the kit when a third filter needs it.
#![warn(missing_docs)]

pub mod config;
pub mod header;
