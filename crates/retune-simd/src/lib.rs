//! Loops compiled for several instruction sets, of which the best that the machine has is chosen at run time.

/// An instruction set that kernels are compiled for. Plain loops written inside [`multiversion!`](crate::multiversion) are
/// vectorized by the compiler for each level; NEON is the baseline of 64-bit ARM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every processor of the target has: SSE2 on x86-64, NEON on 64-bit ARM.
    Baseline,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Level {
    /// The best level of this machine. The environment variable `RETUNE_CPU` (`avx512`, `avx2` or `baseline`) lowers it.
    pub fn detect() -> Level {
        static DETECTED: std::sync::OnceLock<Level> = std::sync::OnceLock::new();
        *DETECTED.get_or_init(|| {
            let wanted = match std::env::var("RETUNE_CPU").as_deref() {
                Ok("baseline") => Level::Baseline,
                Ok("avx2") => Level::Avx2,
                _ => Level::Avx512,
            };
            Level::supported().min(wanted)
        })
    }

    /// Every level up to the best.
    pub fn available() -> impl Iterator<Item = Level> {
        [Level::Baseline, Level::Avx2, Level::Avx512].into_iter().filter(|&level| level <= Level::detect())
    }

    #[cfg(target_arch = "x86_64")]
    fn supported() -> Level {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        match (avx2, avx512) {
            (true, true) => Level::Avx512,
            (true, false) => Level::Avx2,
            _ => Level::Baseline,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn supported() -> Level {
        Level::Baseline
    }
}

/// Compiles a function once per [`Level`], and makes a function of the same name that takes the level first.
///
/// The body should be plain loops over slices without calls that are not inlined. It never fuses a multiplication and an
/// addition by itself, so a body without `mul_add` gives the same bits at every level.
///
/// ```
/// use retune_simd::{Level, multiversion};
///
/// multiversion! {
///     /// y += a · x
///     fn axpy(a: f32, x: &[f32], y: &mut [f32]) {
///         for (y, x) in y.iter_mut().zip(x) {
///             *y += a * x;
///         }
///     }
///
///     /// Generic functions write their parameters in brackets.
///     fn map[F: Fn(f32) -> f32](f: F, x: &mut [f32]) {
///         for x in x {
///             *x = f(*x);
///         }
///     }
/// }
///
/// let mut y = [1.0, 2.0];
/// axpy(Level::detect(), 2.0, &[1.0, 1.0], &mut y);
/// map(Level::detect(), |x| -x, &mut y);
/// assert_eq!(y, [-3.0, -4.0]);
/// ```
#[macro_export]
macro_rules! multiversion {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident $([$($generic:tt)*])? ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block)*) => {$(
        $(#[$meta])*
        #[inline]
        $vis fn $name $(<$($generic)*>)? (level: $crate::Level, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body $(<$($generic)*>)? ($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2")]
            fn avx512 $(<$($generic)*>)? ($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,bmi2")]
            fn avx2 $(<$($generic)*>)? ($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }

            match level {
                // SAFETY: `Level` values above the baseline only exist where `Level::detect` found their features.
                #[cfg(target_arch = "x86_64")]
                $crate::Level::Avx512 => unsafe { avx512($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::Level::Avx2 => unsafe { avx2($($arg),*) },
                _ => body($($arg),*),
            }
        }
    )*};
}
