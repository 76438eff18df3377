//! Tests of the whole program.

mod readme;
