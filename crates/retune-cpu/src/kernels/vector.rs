//! Registers of `f32` values, for the few kernels that plain loops do not describe well enough.

/// A register. Its functions are compiled to single instructions inside of [`vectorized!`] functions.
///
/// # Safety of its functions
/// The processor has the features of the register's level, and pointers are valid for [`Vector::LANES`] values.
#[allow(clippy::missing_safety_doc)]
pub(crate) trait Vector: Copy {
    /// The register for half as many values, where the level has one; else the register itself.
    type Half: Vector;
    const LANES: usize;
    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    /// As [`crate::math::max`].
    unsafe fn max(self, other: Self) -> Self;
    /// `self + a · b`, rounded once where the level has such an instruction.
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self;
    /// The values where `a` and `b` are equal, zeros elsewhere; and the other way round.
    unsafe fn split_where_equal(self, a: Self, b: Self) -> (Self, Self);

    /// `to(j, i) = from(i, j)` for a square of [`Vector::LANES`] rows and columns; each comes with the distance between its rows.
    #[inline(always)]
    unsafe fn transpose((from, from_row): (*const f32, usize), (to, to_row): (*mut f32, usize)) {
        for (i, j) in (0..Self::LANES).step_by(4).flat_map(|i| (0..Self::LANES).step_by(4).map(move |j| (i, j))) {
            // SAFETY: by the caller's promise; arrays of floats may lie anywhere.
            unsafe {
                let row = |m: usize| from.add((i + m) * from_row + j).cast::<[f32; 4]>().read_unaligned();
                let square = [row(0), row(1), row(2), row(3)];
                for m in 0..4 {
                    to.add((j + m) * to_row + i).cast::<[f32; 4]>().write_unaligned(square.map(|row| row[m]));
                }
            }
        }
    }

    /// The first `count` values from memory, zeros behind; nothing behind them is read.
    #[inline(always)]
    unsafe fn load_first(from: *const f32, count: usize) -> Self {
        // SAFETY: by the caller's promise, for `count` values.
        unsafe {
            if count == Self::LANES {
                return Self::load(from);
            }
            let mut values = [0.0f32; 16];
            std::ptr::copy_nonoverlapping(from, values.as_mut_ptr(), count);
            Self::load(values.as_ptr())
        }
    }

    /// Stores the first `count` values; nothing behind them is written.
    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, count: usize) {
        // SAFETY: as above.
        unsafe {
            if count == Self::LANES {
                return self.store(to);
            }
            let mut values = [0.0f32; 16];
            self.store(values.as_mut_ptr());
            std::ptr::copy_nonoverlapping(values.as_ptr(), to, count);
        }
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! x86_vector {
    ($register:ident, $half:ident, $lanes:literal, $set1:ident, $load:ident, $store:ident, $add:ident, $sub:ident, $max:ident, $fma:ident, {$($more:tt)*}) => {
        impl Vector for std::arch::x86_64::$register {
            type Half = std::arch::x86_64::$half;
            const LANES: usize = $lanes;
            #[inline(always)]
            unsafe fn splat(value: f32) -> Self {
                // SAFETY: by the trait's promise, here and below.
                unsafe { std::arch::x86_64::$set1(value) }
            }
            #[inline(always)]
            unsafe fn load(from: *const f32) -> Self {
                // SAFETY: as above.
                unsafe { std::arch::x86_64::$load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut f32) {
                // SAFETY: as above.
                unsafe { std::arch::x86_64::$store(to, self) }
            }
            #[inline(always)]
            unsafe fn add(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { std::arch::x86_64::$add(self, other) }
            }
            #[inline(always)]
            unsafe fn sub(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { std::arch::x86_64::$sub(self, other) }
            }
            #[inline(always)]
            unsafe fn max(self, other: Self) -> Self {
                // SAFETY: as above.
                unsafe { std::arch::x86_64::$max(self, other) }
            }
            #[inline(always)]
            unsafe fn multiply_add(self, a: Self, b: Self) -> Self {
                // SAFETY: as above.
                unsafe { std::arch::x86_64::$fma(a, b, self) }
            }
            $($more)*
        }
    };
}

#[cfg(target_arch = "x86_64")]
x86_vector!(
    __m512,
    __m256,
    16,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_sub_ps,
    _mm512_max_ps,
    _mm512_fmadd_ps,
    {
        #[inline(always)]
        unsafe fn split_where_equal(self, a: Self, b: Self) -> (Self, Self) {
            use std::arch::x86_64::{_CMP_EQ_OQ, _mm512_cmp_ps_mask, _mm512_maskz_mov_ps};
            // SAFETY: as above.
            unsafe {
                let equal = _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b);
                (_mm512_maskz_mov_ps(equal, self), _mm512_maskz_mov_ps(!equal, self))
            }
        }
        #[inline(always)]
        unsafe fn transpose((from, from_row): (*const f32, usize), (to, to_row): (*mut f32, usize)) {
            use std::arch::x86_64::{
                _mm512_castpd_ps as ps, _mm512_castps_pd as pd, _mm512_shuffle_f32x4, _mm512_unpackhi_pd,
                _mm512_unpackhi_ps, _mm512_unpacklo_pd, _mm512_unpacklo_ps,
            };
            // SAFETY: as above.
            unsafe {
                let mut rows = [Self::splat(0.0); 16];
                for (i, row) in rows.iter_mut().enumerate() {
                    *row = Self::load(from.add(i * from_row));
                }
                // Pairs of rows, then of pairs: lane l of register 4g + j has column 4l + j of rows 4g to 4g + 3.
                for g in (0..16).step_by(4) {
                    let [a, b, c, d] = [rows[g], rows[g + 1], rows[g + 2], rows[g + 3]];
                    let (low, high) = (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
                    let (other_low, other_high) = (_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
                    rows[g] = ps(_mm512_unpacklo_pd(pd(low), pd(other_low)));
                    rows[g + 1] = ps(_mm512_unpackhi_pd(pd(low), pd(other_low)));
                    rows[g + 2] = ps(_mm512_unpacklo_pd(pd(high), pd(other_high)));
                    rows[g + 3] = ps(_mm512_unpackhi_pd(pd(high), pd(other_high)));
                }
                // Lanes of four registers become one.
                for j in 0..4 {
                    let [a, b, c, d] = [rows[j], rows[4 + j], rows[8 + j], rows[12 + j]];
                    let (front, back) = (_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xEE>(a, b));
                    let (other_front, other_back) =
                        (_mm512_shuffle_f32x4::<0x44>(c, d), _mm512_shuffle_f32x4::<0xEE>(c, d));
                    rows[j] = _mm512_shuffle_f32x4::<0x88>(front, other_front);
                    rows[4 + j] = _mm512_shuffle_f32x4::<0xDD>(front, other_front);
                    rows[8 + j] = _mm512_shuffle_f32x4::<0x88>(back, other_back);
                    rows[12 + j] = _mm512_shuffle_f32x4::<0xDD>(back, other_back);
                }
                for (i, row) in rows.into_iter().enumerate() {
                    row.store(to.add(i * to_row));
                }
            }
        }
        #[inline(always)]
        unsafe fn load_first(from: *const f32, count: usize) -> Self {
            // SAFETY: as above; masked lanes are not accessed.
            unsafe { std::arch::x86_64::_mm512_maskz_loadu_ps(first_lanes(count), from) }
        }
        #[inline(always)]
        unsafe fn store_first(self, to: *mut f32, count: usize) {
            // SAFETY: as above.
            unsafe { std::arch::x86_64::_mm512_mask_storeu_ps(to, first_lanes(count), self) }
        }
    }
);
#[cfg(target_arch = "x86_64")]
x86_vector!(
    __m256,
    __m256,
    8,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_sub_ps,
    _mm256_max_ps,
    _mm256_fmadd_ps,
    {
        #[inline(always)]
        unsafe fn split_where_equal(self, a: Self, b: Self) -> (Self, Self) {
            use std::arch::x86_64::{_CMP_EQ_OQ, _mm256_and_ps, _mm256_andnot_ps, _mm256_cmp_ps};
            // SAFETY: as above.
            unsafe {
                let equal = _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b);
                (_mm256_and_ps(equal, self), _mm256_andnot_ps(equal, self))
            }
        }
    }
);

/// A mask of the first `count` lanes of 16.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn first_lanes(count: usize) -> u16 {
    ((1u32 << count) - 1) as u16
}

/// Four values that the compiler keeps in one register of SSE2 or NEON.
#[derive(Clone, Copy)]
pub(crate) struct Quad([f32; 4]);

impl Quad {
    #[inline(always)]
    fn zip(self, other: Quad, f: impl Fn(f32, f32) -> f32) -> Quad {
        Quad(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Vector for Quad {
    type Half = Quad;
    const LANES: usize = 4;
    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Quad([value; 4])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: by the trait's promise; arrays of floats may be read unaligned.
        Quad(unsafe { from.cast::<[f32; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as above.
        unsafe { to.cast::<[f32; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, crate::math::max)
    }
    #[inline(always)]
    unsafe fn multiply_add(self, a: Self, b: Self) -> Self {
        self.zip(a.zip(b, |a, b| a * b), |sum, product| sum + product)
    }
    #[inline(always)]
    unsafe fn split_where_equal(self, a: Self, b: Self) -> (Self, Self) {
        let split = |i: usize| if a.0[i] == b.0[i] { (self.0[i], 0.0) } else { (0.0, self.0[i]) };
        (Quad(std::array::from_fn(|i| split(i).0)), Quad(std::array::from_fn(|i| split(i).1)))
    }
}

/// Compiles an `unsafe fn name[V](args)`, generic over the register `V: Vector`, for each level, and makes a function of
/// that name that takes the level first.
macro_rules! vectorized {
    ($($(#[$meta:meta])* unsafe fn $name:ident[$vector:ident]($($arg:ident: $ty:ty),* $(,)?) $body:block)*) => {$(
        $(#[$meta])*
        #[inline]
        unsafe fn $name(level: $crate::dispatch::Level, $($arg: $ty),*) {
            #[inline(always)]
            unsafe fn body<$vector: $crate::kernels::vector::Vector>($($arg: $ty),*) $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2")]
            unsafe fn avx512($($arg: $ty),*) {
                // SAFETY: by the caller's promise; the features of the register are those of this function.
                unsafe { body::<std::arch::x86_64::__m512>($($arg),*) }
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,bmi2")]
            unsafe fn avx2($($arg: $ty),*) {
                // SAFETY: as above.
                unsafe { body::<std::arch::x86_64::__m256>($($arg),*) }
            }

            // SAFETY: `Level` values above the baseline only exist where `Level::detect` found their features.
            unsafe {
                match level {
                    #[cfg(target_arch = "x86_64")]
                    $crate::dispatch::Level::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::dispatch::Level::Avx2 => avx2($($arg),*),
                    _ => body::<$crate::kernels::vector::Quad>($($arg),*),
                }
            }
        }
    )*};
}
pub(crate) use vectorized;
