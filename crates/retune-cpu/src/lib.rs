//! Plans and runs a retune graph on the CPU.
