//! Readers and writers of weights files, safe on hostile input.
