#![no_main]

#[path = "../fetch.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::unpack(data));
