//! Ctrl-C: the first asks the running command to stop at a good place, the second ends the process.

use super::Result;
use super::failure::Failure;
use retune::train::language::Said;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the user has asked to stop.
#[derive(Debug, Clone)]
pub struct Interrupt {
    asked: Arc<AtomicBool>,
}

impl Interrupt {
    /// Listens for Ctrl-C from now on; `message` is printed when the first one comes. Once per process.
    pub fn listen(message: &'static str) -> Result<Interrupt> {
        let asked = Arc::new(AtomicBool::new(false));
        let flag = asked.clone();
        let handler = move || {
            if flag.swap(true, Ordering::SeqCst) {
                // Files are written under temporary names, so an abort at any moment leaves none half written.
                std::process::exit(130);
            }
            eprintln!("\n{message}");
        };
        ctrlc::set_handler(handler).map_err(|e| {
            Failure::new(Said::new(format!("cannot listen for Ctrl-C: {e}"), format!("无法监听 Ctrl-C：{e}")))
        })?;
        Ok(Interrupt { asked })
    }

    /// The flag that is set by the first Ctrl-C.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.asked.clone()
    }
}
