//! The loops of the optimizers over whole weights: each reads a gradient once and changes a weight and its state in place.
//!
//! What an optimizer is, with formula and defaults, stands in `retune-train`; here are only its loops, cut into chunks that
//! do not depend on the number of threads. Products and sums are never fused, so all [`Level`](crate::Level)s give the same
//! bits. In every function `g` is the gradient that [`Common`] makes of the one given.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::cpu::{Cpu, Parts};
use crate::multiversion;

/// Values that one task changes: small enough to share work, large enough to pay for it.
const CHUNK: usize = 16 * 1024;

/// What is done to weight and gradient before every update: `w ← keep · w`, then `g = scale · gradient + l2 · w`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Common {
    /// Factor of the gradient, from clipping.
    pub scale: f32,
    /// Factor of the weight: `1 − learning rate · weight decay` where decay is decoupled, else 1.
    pub keep: f32,
    /// Share of the weight that is added to its gradient: weight decay where it is coupled, else 0.
    pub l2: f32,
}

impl Default for Common {
    fn default() -> Common {
        Common { scale: 1.0, keep: 1.0, l2: 0.0 }
    }
}

impl Common {
    #[inline(always)]
    fn gradient(&self, gradient: f32, weight: &mut f32) -> f32 {
        *weight *= self.keep;
        self.scale * gradient + self.l2 * *weight
    }
}

/// Runs `task` on equal chunks of the gradient, the weight and its state.
fn chunked<const N: usize>(
    cpu: &Cpu,
    gradient: &[f32],
    slices: [&mut [f32]; N],
    task: impl Fn(&[f32], [&mut [f32]; N]) + Sync,
) {
    for slice in &slices {
        assert_eq!(slice.len(), gradient.len(), "a weight, its gradient and its state have one length");
    }
    let parts = slices.map(Parts::new);
    cpu.run(gradient.len().div_ceil(CHUNK), |index| {
        let start = index * CHUNK;
        let len = CHUNK.min(gradient.len() - start);
        // SAFETY: chunks with different indices do not overlap, and each index runs once.
        task(&gradient[start..start + len], parts.map(|part| unsafe { part.slice(start, len) }));
    });
}

/// How momentum is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Momentum {
    /// Share of the last update that is kept.
    pub momentum: f32,
    /// Whether to look ahead (Nesterov).
    pub nesterov: bool,
    /// Whether the state holds updates, learning rate included (Keras), or gradients (PyTorch).
    pub holds_updates: bool,
}

/// Coefficients of Adam at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// `1 − β₁`, share of the gradient in the first moment.
    pub share_1: f32,
    /// `1 − β₂`, share of the squared gradient in the second moment.
    pub share_2: f32,
    /// Factor of the update, bias correction included.
    pub rate: f32,
    /// Factor of `√v`.
    pub root_scale: f32,
    /// Added to the scaled root.
    pub epsilon: f32,
}

/// Coefficients of RMSprop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsProp {
    /// Learning rate.
    pub rate: f32,
    /// ρ, decay of the mean square.
    pub rho: f32,
    /// `1 − ρ`, share of the squared gradient.
    pub share: f32,
    /// Share of the last update that is kept; 0 keeps none.
    pub momentum: f32,
    /// Whether the mean of gradients is subtracted from the second moment.
    pub centered: bool,
    /// As [`RootForm`].
    pub root: RootForm,
    /// Whether momentum holds updates, learning rate included (Keras), or scaled gradients (PyTorch).
    pub holds_updates: bool,
}

/// The divisor made of a second moment `v`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RootForm {
    /// `√(v + ε)` (Keras).
    Inside(f32),
    /// `√v + ε` (PyTorch).
    Outside(f32),
}

impl RootForm {
    /// ε inside and outside of the root.
    fn terms(self) -> (f32, f32) {
        match self {
            RootForm::Inside(epsilon) => (epsilon, 0.0),
            RootForm::Outside(epsilon) => (0.0, epsilon),
        }
    }
}

/// `w ← w − rate · g`.
pub fn descend(cpu: &Cpu, common: &Common, rate: f32, gradient: &[f32], weight: &mut [f32]) {
    chunked(cpu, gradient, [weight], |g, [w]| descend_loop(cpu.level(), *common, rate, g, w));
}

/// With `holds_updates`: `m ← μ m − rate · g`, `w ← w + m` (Nesterov: `w + μ m − rate · g`). Without: `m ← μ m + g`,
/// `w ← w − rate · m` (Nesterov: `w − rate · (g + μ m)`).
pub fn momentum(cpu: &Cpu, c: &Common, rate: f32, p: &Momentum, gradient: &[f32], weight: &mut [f32], m: &mut [f32]) {
    chunked(cpu, gradient, [weight, m], |g, [w, m]| momentum_loop(cpu.level(), *c, rate, *p, g, w, m));
}

/// `m ← m + (g − m)(1 − β₁)`, `v ← v + (g² − v)(1 − β₂)`, `w ← w − rate · m / (root_scale · √v + ε)`; with `largest` (AMSGrad)
/// the largest v so far takes the place of v in the last step.
pub fn adam(
    cpu: &Cpu,
    common: &Common,
    p: &Adam,
    gradient: &[f32],
    weight: &mut [f32],
    [m, v]: [&mut [f32]; 2],
    largest: Option<&mut [f32]>,
) {
    match largest {
        None => chunked(cpu, gradient, [weight, m, v], |g, [w, m, v]| adam_loop(cpu.level(), *common, *p, g, w, m, v)),
        Some(largest) => chunked(cpu, gradient, [weight, m, v, largest], |g, [w, m, v, largest]| {
            amsgrad_loop(cpu.level(), *common, *p, g, w, m, v, largest);
        }),
    }
}

/// `v ← ρ v + (1 − ρ) g²`; if centered `a ← ρ a + (1 − ρ) g` and `v − a²` in place of v below; `u = g / root(v)`; then the
/// momentum rule of [`momentum`] without Nesterov, on u. `average` and `velocity` are read only if they are used.
pub fn rms_prop(
    cpu: &Cpu,
    common: &Common,
    p: &RmsProp,
    gradient: &[f32],
    [weight, v, average, velocity]: [&mut [f32]; 4],
) {
    match (p.centered, p.momentum != 0.0) {
        (false, false) => chunked(cpu, gradient, [weight, v], |g, [w, v]| {
            rms_prop_loop(cpu.level(), *common, *p, g, w, v);
        }),
        (true, false) => chunked(cpu, gradient, [weight, v, average], |g, [w, v, a]| {
            rms_prop_centered_loop(cpu.level(), *common, *p, g, w, v, a);
        }),
        (false, true) => chunked(cpu, gradient, [weight, v, velocity], |g, [w, v, m]| {
            rms_prop_momentum_loop(cpu.level(), *common, *p, g, w, v, m);
        }),
        (true, true) => chunked(cpu, gradient, [weight, v, average, velocity], |g, [w, v, a, m]| {
            rms_prop_centered_momentum_loop(cpu.level(), *common, *p, g, w, v, a, m);
        }),
    }
}

/// `s ← s + g²`, `w ← w − rate · g / root(s)`.
pub fn adagrad(
    cpu: &Cpu,
    c: &Common,
    rate: f32,
    root: RootForm,
    gradient: &[f32],
    weight: &mut [f32],
    sum: &mut [f32],
) {
    chunked(cpu, gradient, [weight, sum], |g, [w, s]| adagrad_loop(cpu.level(), *c, rate, root, g, w, s));
}

/// `total ← total + values`.
pub fn accumulate(cpu: &Cpu, values: &[f32], total: &mut [f32]) {
    chunked(cpu, values, [total], |x, [total]| accumulate_loop(cpu.level(), x, total));
}

/// `Σ x²` in f64, in an order that depends on the length alone.
pub fn square_sum(cpu: &Cpu, values: &[f32]) -> f64 {
    const PARTS: usize = 64;
    let chunk = values.len().div_ceil(PARTS).max(CHUNK);
    let sums = [const { AtomicU64::new(0) }; PARTS];
    let count = values.len().div_ceil(chunk);
    cpu.run(count, |index| {
        let start = index * chunk;
        let sum = square_sum_loop(cpu.level(), &values[start..values.len().min(start + chunk)]);
        sums[index].store(sum.to_bits(), Ordering::Relaxed);
    });
    sums[..count].iter().map(|sum| f64::from_bits(sum.load(Ordering::Relaxed))).sum()
}

multiversion! {
    fn descend_loop(common: Common, rate: f32, gradient: &[f32], weight: &mut [f32]) {
        for (w, &g) in weight.iter_mut().zip(gradient) {
            let g = common.gradient(g, w);
            *w -= rate * g;
        }
    }

    fn momentum_loop(common: Common, rate: f32, p: Momentum, gradient: &[f32], weight: &mut [f32], m: &mut [f32]) {
        // Updates and gradients differ by the factor −rate, applied when it enters the state or when it leaves it.
        let (enter, leave) = if p.holds_updates { (-rate, 1.0) } else { (1.0, -rate) };
        for ((w, m), &g) in weight.iter_mut().zip(m).zip(gradient) {
            let g = enter * common.gradient(g, w);
            *m = p.momentum * *m + g;
            *w += leave * if p.nesterov { p.momentum * *m + g } else { *m };
        }
    }

    fn adam_loop(common: Common, p: Adam, gradient: &[f32], weight: &mut [f32], m: &mut [f32], v: &mut [f32]) {
        for (((w, m), v), &g) in weight.iter_mut().zip(m).zip(v).zip(gradient) {
            let g = common.gradient(g, w);
            *m += (g - *m) * p.share_1;
            *v += (g * g - *v) * p.share_2;
            *w -= p.rate * *m / (p.root_scale * v.sqrt() + p.epsilon);
        }
    }

    fn amsgrad_loop(
        common: Common, p: Adam, gradient: &[f32], weight: &mut [f32], m: &mut [f32], v: &mut [f32], largest: &mut [f32]
    ) {
        for ((((w, m), v), largest), &g) in weight.iter_mut().zip(m).zip(v).zip(largest).zip(gradient) {
            let g = common.gradient(g, w);
            *m += (g - *m) * p.share_1;
            *v += (g * g - *v) * p.share_2;
            *largest = if *v > *largest { *v } else { *largest };
            *w -= p.rate * *m / (p.root_scale * largest.sqrt() + p.epsilon);
        }
    }

    fn rms_prop_loop(common: Common, p: RmsProp, gradient: &[f32], weight: &mut [f32], v: &mut [f32]) {
        let (inside, outside) = p.root.terms();
        for ((w, v), &g) in weight.iter_mut().zip(v).zip(gradient) {
            let g = common.gradient(g, w);
            *v = p.rho * *v + p.share * (g * g);
            *w -= p.rate * g / ((*v + inside).sqrt() + outside);
        }
    }

    fn rms_prop_centered_loop(
        common: Common, p: RmsProp, gradient: &[f32], weight: &mut [f32], v: &mut [f32], average: &mut [f32]
    ) {
        let (inside, outside) = p.root.terms();
        for (((w, v), a), &g) in weight.iter_mut().zip(v).zip(average).zip(gradient) {
            let g = common.gradient(g, w);
            *v = p.rho * *v + p.share * (g * g);
            *a = p.rho * *a + p.share * g;
            *w -= p.rate * g / ((*v - *a * *a + inside).sqrt() + outside);
        }
    }

    fn rms_prop_momentum_loop(
        common: Common, p: RmsProp, gradient: &[f32], weight: &mut [f32], v: &mut [f32], velocity: &mut [f32]
    ) {
        let (inside, outside) = p.root.terms();
        let (enter, leave) = if p.holds_updates { (p.rate, 1.0) } else { (1.0, p.rate) };
        for (((w, v), m), &g) in weight.iter_mut().zip(v).zip(velocity).zip(gradient) {
            let g = common.gradient(g, w);
            *v = p.rho * *v + p.share * (g * g);
            *m = p.momentum * *m + enter * g / ((*v + inside).sqrt() + outside);
            *w -= leave * *m;
        }
    }

    fn rms_prop_centered_momentum_loop(
        common: Common, p: RmsProp, gradient: &[f32],
        weight: &mut [f32], v: &mut [f32], average: &mut [f32], velocity: &mut [f32]
    ) {
        let (inside, outside) = p.root.terms();
        let (enter, leave) = if p.holds_updates { (p.rate, 1.0) } else { (1.0, p.rate) };
        for ((((w, v), a), m), &g) in weight.iter_mut().zip(v).zip(average).zip(velocity).zip(gradient) {
            let g = common.gradient(g, w);
            *v = p.rho * *v + p.share * (g * g);
            *a = p.rho * *a + p.share * g;
            *m = p.momentum * *m + enter * g / ((*v - *a * *a + inside).sqrt() + outside);
            *w -= leave * *m;
        }
    }

    fn adagrad_loop(
        common: Common, rate: f32, root: RootForm, gradient: &[f32], weight: &mut [f32], sum: &mut [f32]
    ) {
        let (inside, outside) = root.terms();
        for ((w, s), &g) in weight.iter_mut().zip(sum).zip(gradient) {
            let g = common.gradient(g, w);
            *s += g * g;
            *w -= rate * g / ((*s + inside).sqrt() + outside);
        }
    }

    fn accumulate_loop(values: &[f32], total: &mut [f32]) {
        for (total, x) in total.iter_mut().zip(values) {
            *total += x;
        }
    }

    fn square_sum_loop(values: &[f32]) -> f64 {
        const LANES: usize = 16;
        let mut sums = [0f64; LANES];
        let (rows, rest) = values.as_chunks::<LANES>();
        for row in rows {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum += f64::from(x) * f64::from(x);
            }
        }
        for (sum, &x) in sums.iter_mut().zip(rest) {
            *sum += f64::from(x) * f64::from(x);
        }
        sums.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Level;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        (0..n as u32).map(|i| ((i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8) as f32) / 8.4e6 - 1.0).collect()
    }

    /// Every loop on one weight, at one level and number of threads; the results one after the other.
    fn everything(cpu: &Cpu, n: usize) -> Vec<f32> {
        let common = Common { scale: 0.5, keep: 0.99, l2: 0.01 };
        let gradient = numbers(n, 1);
        let state = |seed| numbers(n, seed).iter().map(|x| x.abs()).collect::<Vec<f32>>();
        let mut all = Vec::new();
        let mut weight = numbers(n, 2);
        let [mut a, mut b, mut c] = [3, 4, 5].map(state);
        descend(cpu, &common, 0.1, &gradient, &mut weight);
        for (nesterov, holds_updates) in [(false, false), (true, true)] {
            let p = Momentum { momentum: 0.9, nesterov, holds_updates };
            momentum(cpu, &common, 0.1, &p, &gradient, &mut weight, &mut a);
        }
        let p = Adam { share_1: 0.1, share_2: 0.01, rate: 0.01, root_scale: 1.5, epsilon: 1e-7 };
        adam(cpu, &common, &p, &gradient, &mut weight, [&mut a, &mut b], None);
        adam(cpu, &common, &p, &gradient, &mut weight, [&mut a, &mut b], Some(&mut c));
        for (centered, momentum) in [(false, 0.0), (false, 0.5)] {
            let root = RootForm::Inside(1e-7);
            let p = RmsProp { rate: 0.01, rho: 0.9, share: 0.1, momentum, centered, root, holds_updates: true };
            rms_prop(cpu, &common, &p, &gradient, [&mut weight, &mut b, &mut a, &mut c]);
        }
        adagrad(cpu, &common, 0.01, RootForm::Outside(1e-10), &gradient, &mut weight, &mut b);
        accumulate(cpu, &gradient, &mut c);
        all.extend(weight.iter().chain(&a).chain(&b).chain(&c));
        all.push(square_sum(cpu, &weight) as f32);
        all
    }

    #[test]
    fn levels_and_threads_give_the_same_bits() {
        for n in [1, 17, 2 * CHUNK + 5] {
            let expected: Vec<u32> =
                everything(&Cpu::with_level(1, Level::Baseline), n).iter().map(|x| x.to_bits()).collect();
            assert!(expected.iter().all(|&x| f32::from_bits(x).is_finite()));
            for level in Level::available() {
                for threads in [1, 2, 3, 8] {
                    let found = everything(&Cpu::with_level(threads, level), n);
                    assert!(found.iter().map(|x| x.to_bits()).eq(expected.iter().copied()), "{level:?} {threads} {n}");
                }
            }
        }
    }

    #[test]
    fn sums_of_squares_are_exact_enough() {
        let x = numbers(100_003, 9);
        let exact: f64 = x.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        assert!((square_sum(&Cpu::new(2), &x) - exact).abs() < 1e-9 * exact);
        assert_eq!(square_sum(&Cpu::new(2), &[]), 0.0);
    }
}
