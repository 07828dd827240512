//! A thread pool that runs numbered tasks without allocating.
//!
//! The caller and the workers claim task numbers from one counter, so a slow or busy thread holds up nobody. Workers
//! spin for a moment before they sleep, because the next operation of a step usually comes within microseconds.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

/// How often a worker looks for work before it sleeps (some tens of microseconds).
const SPINS: usize = 4_000;

/// Number of bits of [`Shared::next`] that count tasks; the rest hold the job's generation.
const TASK_BITS: u32 = 32;

/// The lower bits of [`Shared::next`]; as a task number, it is beyond every job's last.
const TASK_MASK: u64 = (1 << TASK_BITS) - 1;

/// A pool of threads, of which the caller is one.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held while a job runs. Whoever finds it taken (a nested or concurrent job) runs its tasks by itself.
    running: Mutex<()>,
}

#[derive(Default)]
struct Shared {
    /// Number of the current job. Its publication (release) makes the job's fields visible.
    generation: AtomicU64,
    /// Generation of the job (upper bits) and the next unclaimed task (lower bits). A claim succeeds only under the
    /// claimer's own generation, and the generation moves on (with all tasks claimed) before the fields below change. So a
    /// worker that comes late can never run a task of a job it did not read.
    next: AtomicU64,
    tasks: AtomicU64,
    context: AtomicPtr<()>,
    /// `fn(*const (), usize)` that calls the job's closure.
    call: AtomicUsize,
    finished: AtomicU64,
    panicked: AtomicBool,
    stop: AtomicBool,
    sleepers: AtomicUsize,
    sleep: Mutex<()>,
    wake: Condvar,
}

type Call = fn(*const (), usize);

thread_local! {
    static THREAD: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The calling thread's number in the pool that it works for; 0 for whoever calls [`Pool::run`]. Jobs of one pool that
/// run at the same time may see one number twice, jobs of [`Pool::run`] that got the workers do not.
pub(crate) fn thread() -> usize {
    THREAD.get()
}

impl Pool {
    /// A pool of `threads` threads, counting the caller's.
    pub fn new(threads: usize) -> Pool {
        let shared = Arc::new(Shared::default());
        let workers = (1..threads)
            .map(|index| {
                let shared = Arc::clone(&shared);
                std::thread::Builder::new()
                    .name(format!("retune-cpu-{index}"))
                    .spawn(move || {
                        THREAD.set(index);
                        shared.work();
                    })
                    .expect("the system can start a thread")
            })
            .collect();
        Pool { shared, workers, running: Mutex::new(()) }
    }

    /// Number of threads, counting the caller's.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `task(0)` to `task(tasks - 1)`, each once, and returns when all are done.
    ///
    /// # Panics
    /// If a task panics.
    pub fn run<F: Fn(usize) + Sync>(&self, tasks: usize, task: &F) {
        assert!((tasks as u64) < TASK_MASK, "a job has fewer than 2³² − 1 tasks");
        let guard = if tasks > 1 && !self.workers.is_empty() { self.running.try_lock().ok() } else { None };
        let Some(_guard) = guard else {
            (0..tasks).for_each(task);
            return;
        };
        fn call<F: Fn(usize)>(context: *const (), index: usize) {
            // SAFETY: `context` is the `&F` that `run` published, alive until all tasks are finished.
            unsafe { (*context.cast::<F>())(index) }
        }
        let shared = &*self.shared;
        let generation = shared.generation.load(Ordering::Relaxed) + 1;
        shared.next.store(generation << TASK_BITS | TASK_MASK, Ordering::Release);
        shared.context.store(std::ptr::from_ref(task).cast_mut().cast(), Ordering::Release);
        shared.call.store(call::<F> as Call as usize, Ordering::Release);
        shared.tasks.store(tasks as u64, Ordering::Release);
        shared.finished.store(0, Ordering::Relaxed);
        shared.next.store(generation << TASK_BITS, Ordering::Release);
        shared.generation.store(generation, Ordering::SeqCst);
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            drop(shared.sleep.lock());
            shared.wake.notify_all();
        }
        shared.help(generation);
        let mut spins = 0;
        while shared.finished.load(Ordering::Acquire) < tasks as u64 {
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
        assert!(!shared.panicked.swap(false, Ordering::Relaxed), "a task of the pool panicked");
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(self.shared.sleep.lock());
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker cannot panic: tasks are caught.
            let _ = worker.join();
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("threads", &self.threads()).finish()
    }
}

impl Shared {
    /// Claims and runs tasks of job `generation` until none is left.
    fn help(&self, generation: u64) {
        // Acquire: whoever sees a field of a later job also sees that its own generation is over.
        let context = self.context.load(Ordering::Acquire);
        let call = self.call.load(Ordering::Acquire);
        let tasks = self.tasks.load(Ordering::Acquire);
        let mut next = self.next.load(Ordering::Acquire);
        loop {
            let index = next & TASK_MASK;
            if next >> TASK_BITS != generation & TASK_MASK || index >= tasks {
                return;
            }
            match self.next.compare_exchange_weak(next, next + 1, Ordering::AcqRel, Ordering::Acquire) {
                Err(current) => next = current,
                Ok(_) => {
                    // SAFETY: the claim succeeded under `generation`, so this job still runs, its fields were the ones
                    // read above, and `call` was stored from a `Call`.
                    let call = unsafe { std::mem::transmute::<usize, Call>(call) };
                    if catch_unwind(AssertUnwindSafe(|| call(context, index as usize))).is_err() {
                        self.panicked.store(true, Ordering::Relaxed);
                    }
                    self.finished.fetch_add(1, Ordering::Release);
                    next = self.next.load(Ordering::Acquire);
                }
            }
        }
    }

    /// A worker's life.
    fn work(&self) {
        let mut seen = 0;
        loop {
            let mut spins = 0;
            loop {
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
                let generation = self.generation.load(Ordering::Acquire);
                if generation != seen {
                    seen = generation;
                    break;
                }
                spins += 1;
                if spins < SPINS {
                    std::hint::spin_loop();
                } else {
                    self.sleep_while(seen);
                    spins = 0;
                }
            }
            self.help(seen);
        }
    }

    fn sleep_while(&self, seen: u64) {
        let mut guard = self.sleep.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while self.generation.load(Ordering::SeqCst) == seen && !self.stop.load(Ordering::SeqCst) {
            guard = self.wake.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 3, 8] {
            let pool = Pool::new(threads);
            for tasks in [0, 1, 2, 7, 1000] {
                let counts: Vec<AtomicUsize> = (0..tasks).map(|_| AtomicUsize::new(0)).collect();
                pool.run(tasks, &|i: usize| {
                    counts[i].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == 1), "{threads} threads, {tasks} tasks");
            }
        }
    }

    #[test]
    fn many_short_jobs_in_a_row() {
        let pool = Pool::new(4);
        let total = AtomicUsize::new(0);
        for _ in 0..20_000 {
            pool.run(3, &|i: usize| {
                total.fetch_add(i, Ordering::Relaxed);
            });
        }
        assert_eq!(total.into_inner(), 60_000);
    }

    /// Jobs of growing and shrinking size in quick succession, on more threads than cores so that threads lose their core at
    /// any point: a worker that is late must not touch the next job.
    #[test]
    fn late_workers_never_run_a_task_of_another_job() {
        let body = || {
            let pool = Pool::new(4);
            for round in 0..40_000usize {
                let tasks = 2 + (round * 7) % 31;
                let counts: [AtomicUsize; 33] = std::array::from_fn(|_| AtomicUsize::new(0));
                pool.run(tasks, &|i: usize| {
                    counts[i].fetch_add(1, Ordering::Relaxed);
                });
                for (i, count) in counts.iter().enumerate() {
                    assert_eq!(
                        count.load(Ordering::Relaxed),
                        usize::from(i < tasks),
                        "task {i} of {tasks}, round {round}"
                    );
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(body);
            }
        });
    }

    #[test]
    fn nested_jobs_run_inline() {
        let pool = Pool::new(2);
        let total = AtomicUsize::new(0);
        pool.run(4, &|_| {
            pool.run(5, &|_| {
                total.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert_eq!(total.into_inner(), 20);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(2);
        let caught = catch_unwind(AssertUnwindSafe(|| pool.run(8, &|i| assert_ne!(i, 5))));
        assert!(caught.is_err());
        pool.run(8, &|_| ());
    }
}
