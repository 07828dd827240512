//! Python pickles, read as data: nothing is imported, called or executed.
//!
//! - [`value`]: [`Pickle`] and [`Value`], the objects of a pickle and the way through them.
//! - [`machine`]: the stack machine that reads protocols 0 to 5.
//! - `scanner`: the opcodes' arguments.
//! - [`numpy`]: numpy arrays within pickles.
//!
//! A pickle is a program whose dangerous instructions name a Python object (`GLOBAL`) and call it (`REDUCE`). Here a
//! name is only a name: it must be on the caller's list of names whose meaning the caller knows, and a call becomes an
//! [`Instance`] that records callee and arguments for the caller to interpret.

pub mod machine;
pub mod numpy;
mod scanner;
pub mod value;

pub use machine::{GlobalName, parse, parse_prefix};
pub use value::{Instance, Object, Pickle, Ref, Value};
