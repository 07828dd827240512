//! Products by the tile registers of AMX: two by two tiles of C, each of sixteen rows and sixteen columns, take thirty-two steps of the
//! sum at a time.
//!
//! The compiler knows these registers only as something that assembly may change, so a tile is one block of assembly. The system lets a
//! process use them after it has asked.

use std::mem::MaybeUninit;

use super::{COLUMNS, Tile};
use crate::kernels::gemm::Store;

/// Rows of C.
pub(super) const ROWS: usize = 32;

/// Bytes of a register's row.
const ROW_BYTES: usize = 64;

/// Whether this machine has the instructions, those that round too, and the system lets this process use them.
pub(super) fn is_available() -> bool {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        use super::avx512;
        static AVAILABLE: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        *AVAILABLE.get_or_init(|| avx512::is_available() && linux::has_instructions() && linux::may_use_tiles())
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    {
        false
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod linux {
    use std::arch::x86_64::{__cpuid_count, __get_cpuid_max};

    /// AMX-BF16 and AMX-TILE, in EDX of leaf 7 of CPUID.
    const FEATURES: u32 = 1 << 22 | 1 << 24;

    /// Asks for a state component of the processor; not in `libc` (Linux 5.16, `asm/prctl.h`).
    const ARCH_REQ_XCOMP_PERM: libc::c_ulong = 0x1023;

    /// The values of tile registers.
    const XFEATURE_XTILEDATA: libc::c_ulong = 18;

    pub(super) fn has_instructions() -> bool {
        __get_cpuid_max(0).0 >= 7 && __cpuid_count(7, 0).edx & FEATURES == FEATURES
    }

    /// Asks the system, once for all threads of the process. It fails where the system or its settings do not know tiles.
    pub(super) fn may_use_tiles() -> bool {
        // SAFETY: the call takes two numbers and changes nothing but what the process may use.
        unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
    }
}

/// A thread whose tile registers are set up, until this is dropped.
pub(in crate::kernels) struct Configured(());

/// The settings of tile registers, as the processor reads them.
#[repr(C, align(64))]
struct Settings {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Configured {
    pub fn new() -> Configured {
        assert!(is_available(), "a unit was detected before");
        let mut settings = Settings { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        settings.row_bytes[..8].fill(ROW_BYTES as u16);
        settings.rows[..8].fill(16);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instruction is there, and reads 64 bytes.
        unsafe {
            std::arch::asm!("ldtilecfg [{}]", in(reg) &raw const settings, options(nostack, preserves_flags));
        }
        Configured(())
    }

    /// # Safety
    /// C is valid for the tile's rows, `c_row` apart, and columns, and nobody else uses them meanwhile.
    pub unsafe fn compute(&self, tile: &Tile<'_>, c: *mut f32, c_row: usize) {
        assert!(tile.fits(ROWS, ROWS), "a tile fits");
        static ZEROS: [f32; COLUMNS] = [0.0; COLUMNS];
        let is_whole = tile.count == ROWS && tile.columns == COLUMNS;
        let mut edge = MaybeUninit::<[f32; ROWS * COLUMNS]>::uninit();
        let mut edge_bias = [0.0; COLUMNS];
        // SAFETY: whatever lies outside of C goes through `edge`.
        unsafe {
            let edge = edge.as_mut_ptr().cast::<f32>();
            let (to, to_row) = if is_whole { (c, c_row) } else { (edge, COLUMNS) };
            let copy_edge = |into_c: bool| {
                for m in 0..tile.count {
                    let (c, edge) = (c.add(m * c_row), edge.add(m * COLUMNS));
                    let (from, to) = if into_c { (edge, c) } else { (c, edge) };
                    std::ptr::copy_nonoverlapping(from, to, tile.columns);
                }
            };
            // Where the sums start: a row of its own for each, or one for all.
            let (from, from_row) = match tile.store {
                Store::Set => (ZEROS.as_ptr(), 0),
                Store::Bias(bias) if is_whole => (bias.as_ptr(), 0),
                Store::Bias(bias) => {
                    edge_bias[..tile.columns].copy_from_slice(bias);
                    (edge_bias.as_ptr(), 0)
                }
                Store::Add => {
                    if !is_whole {
                        edge.write_bytes(0, ROWS * COLUMNS);
                        copy_edge(false);
                    }
                    (to.cast_const(), to_row)
                }
            };
            multiply(tile, (from, from_row), (to, to_row));
            if !is_whole {
                copy_edge(true);
            }
        }
    }
}

impl Drop for Configured {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instruction is there; nobody else on this thread uses the registers.
        unsafe {
            std::arch::asm!("tilerelease", options(nomem, nostack, preserves_flags));
        }
    }
}

/// `to = from + A · B`, each with the distance between its rows.
///
/// # Safety
/// Tile registers are set up. [`Tile::fits`] for [`ROWS`] rows; `from` and `to` are valid for so many rows of [`COLUMNS`] values.
#[cfg(target_arch = "x86_64")]
unsafe fn multiply(tile: &Tile<'_>, (from, from_row): (*const f32, usize), (to, to_row): (*mut f32, usize)) {
    const HALF: usize = ROWS / 2;
    let a = tile.a.as_ptr();
    // SAFETY: by the caller's promise.
    unsafe {
        std::arch::asm!(
            "tileloadd tmm0, [{from} + {from_row}*1]",
            "tileloadd tmm1, [{from} + {from_row}*1 + 64]",
            "tileloadd tmm2, [{lower_from} + {from_row}*1]",
            "tileloadd tmm3, [{lower_from} + {from_row}*1 + 64]",
            "test {blocks}, {blocks}",
            "jz 3f",
            "2:",
            "tileloadd tmm6, [{b} + {b_row}*1]",
            "tileloadd tmm4, [{a} + {a_row}*1]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{b} + {b_row}*1 + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{lower_a} + {a_row}*1]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {a}, 64",
            "add {lower_a}, 64",
            "add {b}, 2048",
            "dec {blocks}",
            "jnz 2b",
            "3:",
            "tilestored [{to} + {to_row}*1], tmm0",
            "tilestored [{to} + {to_row}*1 + 64], tmm1",
            "tilestored [{lower_to} + {to_row}*1], tmm2",
            "tilestored [{lower_to} + {to_row}*1 + 64], tmm3",
            from = in(reg) from,
            lower_from = in(reg) from.wrapping_add(HALF * from_row),
            from_row = in(reg) from_row * size_of::<f32>(),
            a = inout(reg) a => _,
            lower_a = inout(reg) a.wrapping_add(HALF * tile.a_row) => _,
            a_row = in(reg) tile.a_row * size_of::<f32>(),
            b = inout(reg) tile.b.as_ptr() => _,
            b_row = in(reg) COLUMNS * size_of::<f32>(),
            blocks = inout(reg) tile.steps / super::BLOCK => _,
            to = in(reg) to,
            lower_to = in(reg) to.wrapping_add(HALF * to_row),
            to_row = in(reg) to_row * size_of::<f32>(),
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack)
        );
    }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn multiply(_: &Tile<'_>, _: (*const f32, usize), _: (*mut f32, usize)) {
    unreachable!("`is_available` is false here")
}
