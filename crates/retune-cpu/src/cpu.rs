//! The processor as kernels see it: threads and instruction set.

use std::sync::Arc;

use crate::dispatch::Level;
use crate::kernels::bf16::Unit;
use crate::pool::Pool;

/// Threads and instruction set, shared by everything that runs on them. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Cpu {
    pool: Arc<Pool>,
    level: Level,
    bf16: Option<Unit>,
}

impl Cpu {
    /// A processor of `threads` threads (at least one), the caller's among them, at the best [`Level`] there is.
    pub fn new(threads: usize) -> Cpu {
        Cpu::with_level(threads, Level::detect())
    }

    /// As [`Cpu::new`], at a given level, which must not be above what [`Level::detect`] finds.
    ///
    /// # Panics
    /// If the machine lacks the level.
    pub fn with_level(threads: usize, level: Level) -> Cpu {
        assert!(level <= Level::detect(), "this machine has no {level:?}");
        let bf16 = if level == Level::Avx512 { Unit::detect() } else { None };
        Cpu { pool: Arc::new(Pool::new(threads.max(1))), level, bf16 }
    }

    /// The calling thread alone, at the same level.
    pub(crate) fn alone(&self) -> Cpu {
        Cpu { pool: Arc::new(Pool::new(1)), ..self.clone() }
    }

    /// As many threads as the process may run on at once.
    pub fn all_threads() -> Cpu {
        Cpu::new(std::thread::available_parallelism().map_or(1, |n| n.get()))
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// The instruction set in use.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whether products that may read their factors as bfloat16 do so: the processor multiplies such numbers faster.
    pub fn multiplies_bf16(&self) -> bool {
        self.bf16.is_some()
    }

    /// What multiplies bfloat16.
    pub(crate) fn bf16(&self) -> Option<Unit> {
        self.bf16
    }

    /// Runs `task(0)` to `task(tasks - 1)`, each once, on all threads.
    pub fn run(&self, tasks: usize, task: impl Fn(usize) + Sync) {
        self.pool.run(tasks, &task);
    }

    /// As [`Cpu::run`], and tells each task the number of its thread, below [`Cpu::threads`]: for scratch memory, never for
    /// results.
    pub(crate) fn run_on_threads(&self, tasks: usize, task: impl Fn(usize, usize) + Sync) {
        // A task of a larger pool may run those of a single thread.
        let is_alone = self.threads() == 1;
        self.pool.run(tasks, &|index: usize| task(if is_alone { 0 } else { crate::pool::thread() }, index));
    }

    /// Cuts `data` into chunks of `chunk` values and runs `task(index of the chunk, chunk)` on all threads.
    pub fn for_chunks(&self, data: &mut [f32], chunk: usize, task: impl Fn(usize, &mut [f32]) + Sync) {
        let parts = Parts::new(data);
        self.run(parts.len().div_ceil(chunk), |index| {
            let start = index * chunk;
            // SAFETY: chunks with different indices do not overlap, and each index runs once.
            task(index, unsafe { parts.slice(start, chunk.min(parts.len() - start)) });
        });
    }
}

/// A mutable slice whose disjoint parts are written by several tasks at once.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    data: *mut f32,
    len: usize,
    life: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: access goes through the unsafe `slice`, whose caller promises that parts do not overlap.
unsafe impl Send for Parts<'_> {}
// SAFETY: as above.
unsafe impl Sync for Parts<'_> {}

impl<'a> Parts<'a> {
    pub fn new(data: &'a mut [f32]) -> Parts<'a> {
        Parts { data: data.as_mut_ptr(), len: data.len(), life: std::marker::PhantomData }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Address of the value at `start`, for writing parts that are no contiguous slices.
    pub fn at(&self, start: usize) -> *mut f32 {
        assert!(start <= self.len, "an offset lies inside of its slice");
        // SAFETY: inside of the slice by the assertion.
        unsafe { self.data.add(start) }
    }

    /// The part from `start`.
    ///
    /// # Safety
    /// No two parts that are alive at the same time overlap.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn slice(&self, start: usize, len: usize) -> &'a mut [f32] {
        assert!(start.checked_add(len).is_some_and(|end| end <= self.len), "a part lies inside of its slice");
        // SAFETY: inside of the slice by the assertion; disjoint by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(start), len) }
    }
}
