//! What a filter costs, measured side by side in one run.
//!
//! | module      | does                                                                              |
//! |-------------|-----------------------------------------------------------------------------------|
//! | [`variant`] | the filter chains that are compared: none, native, Lua, the floor, and our own    |
//! | [`cases`]   | further configurations of our own filters, and what else does the same              |
//! | [`setting`] | what cases are asked, and what must be seen of each                               |
//! | [`suite`]   | what is asked of them: headers alone, or a large body                             |
//! | [`proof`]   | one request to each under a trace, so that no filter is measured that did not run |
//! | [`load`]    | the client                                                                        |
//! | [`cpu`]     | the CPU time of a process                                                         |
//! | [`rounds`]  | the measurement: every round visits every variant                                 |
//! | [`latency`]| what clients wait, where CPU time says nothing                                    |
//! | [`lists`]   | what long lists cost inside of Wasm                                                |
//! | [`goals`]   | what is to be reached, and whether it is                                            |
//! | [`report`]  | the tables and the files that are kept                                            |
//! | [`setup`]   | the machine and the modules, for whoever reads the results later                  |
//! | [`sample`]  | bodies                                                                            |

pub mod cases;
pub mod cpu;
pub mod goals;
pub mod latency;
pub mod lists;
pub mod load;
pub mod proof;
pub mod report;
pub mod rounds;
pub mod sample;
pub mod setting;
pub mod setup;
pub mod suite;
pub mod variant;
