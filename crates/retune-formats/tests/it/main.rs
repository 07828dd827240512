//! Integration tests of the readers and writers, on files written by their peers.

mod assets;
