//! Counter-based random numbers: Philox4x32-10 (Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, SC 2011).
//!
//! A [`Key`] is derived from the run's seed and from what the numbers are for; the numbers under a key are a pure
//! function of their index. So neither batch size, nor threads, nor resuming a run changes a stream: dropout of one
//! example in one epoch is `Key::new(seed).with(Purpose::Dropout(layer)).at(epoch, example)`, whatever surrounds it.

/// What random numbers are for. Two purposes never share a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Initial values of the weight with this index.
    Init(u32),
    /// Order of the examples in an epoch.
    Shuffle,
    /// Division of a data set into splits.
    Split,
    /// Augmentation of an example.
    Augment(u32),
    /// A random operation inside the network (dropout, noise), by its stream number.
    Layer(u32),
    /// Resampling for confidence intervals.
    Bootstrap,
    /// Tests and synthetic data.
    Test(u32),
}

impl Purpose {
    fn code(self) -> (u32, u32) {
        match self {
            Purpose::Init(i) => (1, i),
            Purpose::Shuffle => (2, 0),
            Purpose::Split => (3, 0),
            Purpose::Augment(i) => (4, i),
            Purpose::Layer(i) => (5, i),
            Purpose::Bootstrap => (6, 0),
            Purpose::Test(i) => (7, i),
        }
    }
}

/// The key of one stream of random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

const MUL_0: u64 = 0xD251_1F53;
const MUL_1: u64 = 0xCD9E_8D57;
const WEYL_0: u32 = 0x9E37_79B9;
const WEYL_1: u32 = 0xBB67_AE85;

/// Philox4x32-10: four random words from a 128-bit counter and a 64-bit key.
#[inline(always)]
pub fn philox(mut counter: [u32; 4], key: u64) -> [u32; 4] {
    let (mut k0, mut k1) = (key as u32, (key >> 32) as u32);
    for _ in 0..10 {
        let p0 = MUL_0 * u64::from(counter[0]);
        let p1 = MUL_1 * u64::from(counter[2]);
        counter = [(p1 >> 32) as u32 ^ counter[1] ^ k0, p1 as u32, (p0 >> 32) as u32 ^ counter[3] ^ k1, p0 as u32];
        k0 = k0.wrapping_add(WEYL_0);
        k1 = k1.wrapping_add(WEYL_1);
    }
    counter
}

impl Key {
    /// The root key of a run.
    pub fn new(seed: u64) -> Key {
        Key(seed)
    }

    fn derive(self, tag: [u32; 4]) -> Key {
        let [a, b, ..] = philox(tag, self.0 ^ 0xA5A5_5A5A_C3C3_3C3C);
        Key(u64::from(a) | u64::from(b) << 32)
    }

    /// The key for one purpose.
    pub fn with(self, purpose: Purpose) -> Key {
        let (kind, index) = purpose.code();
        self.derive([kind, index, 0, 1])
    }

    /// The key for one example in one epoch.
    pub fn at(self, epoch: u64, example: u64) -> Key {
        self.derive([epoch as u32, (epoch >> 32) as u32, 0, 2]).derive([example as u32, (example >> 32) as u32, 0, 3])
    }

    /// Four random words: block number `block` of the stream.
    #[inline(always)]
    pub fn block(self, block: u64) -> [u32; 4] {
        philox([block as u32, (block >> 32) as u32, 0, 0], self.0)
    }

    /// Random word number `index` of the stream, uniform over all 32-bit values.
    #[inline]
    pub fn word(self, index: u64) -> u32 {
        self.block(index / 4)[(index % 4) as usize]
    }

    /// Number `index` of the stream, uniform in `[0, 1)`, a multiple of 2⁻²⁴.
    #[inline]
    pub fn uniform(self, index: u64) -> f32 {
        word_to_uniform(self.word(index))
    }

    /// Number `index` of the stream, uniform in `0..n`, without bias worth noticing (64-bit multiply and shift).
    #[inline]
    pub fn below(self, index: u64, n: u64) -> u64 {
        let [a, b, ..] = self.block(index);
        ((u128::from(u64::from(a) | u64::from(b) << 32) * u128::from(n)) >> 64) as u64
    }

    /// Standard normal number `index` of the stream (Box–Muller, computed in f64).
    #[inline]
    pub fn normal(self, index: u64) -> f32 {
        let [a, b, c, d] = self.block(index / 2);
        let u = (f64::from(a) + f64::from(b) / 4294967296.0 + 0.5 / 4294967296.0) / 4294967296.0;
        let angle = std::f64::consts::TAU * (f64::from(c) + f64::from(d) / 4294967296.0) / 4294967296.0;
        let radius = (-2.0 * u.ln()).sqrt();
        (if index.is_multiple_of(2) { radius * angle.cos() } else { radius * angle.sin() }) as f32
    }

    /// A random order of `0..n` (Fisher–Yates).
    pub fn permutation(self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i as u64, i as u64 + 1) as usize);
        }
        order
    }
}

/// A word as a number in `[0, 1)`: its upper 24 bits.
#[inline(always)]
pub fn word_to_uniform(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Known answers of the Random123 distribution (`kat_vectors`).
    #[test]
    fn philox_known_answers() {
        assert_eq!(philox([0; 4], 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], u64::MAX), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
    }

    #[test]
    fn moments_are_right() {
        let key = Key::new(7).with(Purpose::Test(0));
        let n = 100_000u64;
        let uniform = (0..n).map(|i| f64::from(key.uniform(i))).sum::<f64>() / n as f64;
        assert!((uniform - 0.5).abs() < 0.005, "{uniform}");
        let normals: Vec<f64> = (0..n).map(|i| f64::from(key.normal(i))).collect();
        let mean = normals.iter().sum::<f64>() / n as f64;
        let variance = normals.iter().map(|x| x * x).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.015 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }

    #[test]
    fn purposes_epochs_and_examples_have_their_own_streams() {
        let root = Key::new(1);
        let keys = [
            root.with(Purpose::Shuffle),
            root.with(Purpose::Split),
            root.with(Purpose::Layer(0)).at(0, 0),
            root.with(Purpose::Layer(1)).at(0, 0),
            root.with(Purpose::Layer(0)).at(1, 0),
            root.with(Purpose::Layer(0)).at(0, 1),
        ];
        for (i, a) in keys.iter().enumerate() {
            for b in &keys[..i] {
                assert_ne!(a.block(0), b.block(0));
            }
        }
    }

    #[test]
    fn permutation_holds_everything_once() {
        let mut order = Key::new(3).permutation(1000);
        assert_ne!(order[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        order.sort_unstable();
        assert!(order.iter().copied().eq(0..1000));
    }
}
