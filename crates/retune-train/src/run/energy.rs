//! Energy of the processor, as Linux's power capping interface counts it (RAPL of Intel and AMD).
//!
//! The counters are those of whole packages: what other programs take at the same time is in them. They are often readable by the
//! administrator alone, and absent in virtual machines; then there is no figure.

use std::path::{Path, PathBuf};

/// A counter of one package.
#[derive(Debug)]
struct Counter {
    path: PathBuf,
    /// Microjoules at which it begins anew.
    range: u64,
    last: u64,
    sum: u64,
}

/// Sums up what the packages of a machine take. A counter begins anew every few hours at most loads, so it is to be asked more often
/// than that.
#[derive(Debug, Default)]
pub struct EnergyMeter {
    counters: Vec<Counter>,
}

impl EnergyMeter {
    /// Begins to count; nothing where the system does not tell.
    pub fn start() -> EnergyMeter {
        EnergyMeter::of_folder(Path::new("/sys/class/powercap"))
    }

    fn of_folder(folder: &Path) -> EnergyMeter {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_package = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // `intel-rapl:0` is a package, `intel-rapl:0:1` a part of one. Beside it `intel-rapl-mmio:0` may count the same.
            name.strip_prefix("intel-rapl:").is_some_and(|number| !number.contains(':'))
        };
        let counter = |path: PathBuf| {
            Some(Counter {
                range: number(&path.join("max_energy_range_uj")).unwrap_or(u64::MAX),
                last: number(&path.join("energy_uj"))?,
                path,
                sum: 0,
            })
        };
        EnergyMeter { counters: entries.filter(is_package).filter_map(counter).collect() }
    }

    /// Joules since the start; `None` where the system does not tell.
    pub fn joules(&mut self) -> Option<f64> {
        if self.counters.is_empty() {
            return None;
        }
        for counter in &mut self.counters {
            let now = number(&counter.path.join("energy_uj"))?;
            let passed = if now >= counter.last { now - counter.last } else { counter.range - counter.last + now };
            counter.sum += passed;
            counter.last = now;
        }
        Some(self.counters.iter().map(|counter| counter.sum as f64).sum::<f64>() / 1e6)
    }
}

fn number(path: &Path) -> Option<u64> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_summed_across_the_end_of_their_range() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, file: &str, value: u64| {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join(file), format!("{value}\n")).unwrap();
        };
        for (name, value) in [("intel-rapl:0", 9_000_000), ("intel-rapl:1", 1_000_000), ("intel-rapl:0:0", 5)] {
            write(name, "energy_uj", value);
            write(name, "max_energy_range_uj", 10_000_000);
        }
        let mut meter = EnergyMeter::of_folder(folder.path());
        write("intel-rapl:0", "energy_uj", 500_000);
        write("intel-rapl:1", "energy_uj", 3_000_000);
        write("intel-rapl:0:0", "energy_uj", 9_000_000);
        assert_eq!(meter.joules(), Some(3.5), "1.5 of the first, 2 of the second; parts are in their packages");
        write("intel-rapl:0", "energy_uj", 600_000);
        assert_eq!(meter.joules(), Some(3.6));
        assert_eq!(EnergyMeter::of_folder(&folder.path().join("none")).joules(), None);
    }
}
