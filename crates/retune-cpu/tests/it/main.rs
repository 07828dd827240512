//! Every kernel against the reference interpreter: for each instruction set, number of threads and input run in place.
//!
//! | file | what it tests |
//! | --- | --- |
//! | [`case`] | one operation on given inputs, and how it is checked |
//! | [`elementwise`], [`reduce`], [`layout`], [`pool`], … | the cases of one family |
//! | [`coverage`] | that every operation has a case |

mod case;

mod elementwise;
mod layout;
mod normalization;
mod pool;
mod products;
mod random;
mod reduce;
mod softmax;
