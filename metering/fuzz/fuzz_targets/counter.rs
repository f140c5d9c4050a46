//! Fuzzes `nebula_metering::fuzzing::counter`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nebula_metering::fuzzing::counter(bytes));
