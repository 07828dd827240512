//! Every kernel against the reference interpreter: for each instruction set, number of threads and input run in place.
//!
//! | file | what it tests |
//! | --- | --- |
//! | `case` | one operation on given inputs, and how it is checked |
//! | `depthwise`, `elementwise`, `gather`, … | the cases of one family of operations |
//! | `products` | matrix products and convolutions |
//! | `graphs` | whole graphs with their gradients |
//! | `coverage` | that every operation has a case |
//! | `allocation` | that a planned step allocates nothing |

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod allocation;
mod case;
mod coverage;
mod depthwise;
mod elementwise;
mod gather;
mod graphs;
mod images;
mod layout;
mod normalization;
mod pool;
mod products;
mod random;
mod reduce;
mod sequences;
mod softmax;
