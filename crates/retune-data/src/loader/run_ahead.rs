//! Threads that prepare batches ahead of the step that takes them, and hand them over in order.
//!
//! Batches are numbered. A thread takes the next number as soon as it is less than `prefetch` ahead of the last batch
//! handed over, prepares that batch, and puts it into its slot; [`Batches::next`] waits for the slot whose turn it is.
//! Errors travel in the slots like batches do, so that they come up at the same place whatever the number of threads.
//! Dropping [`Batches`] ends the threads after the batch in hand.

use super::prepare::{Buffers, Prepared, Worker};
use super::{Batch, Cursor, Keeper, Shared};
use crate::error::DataError;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Batches in order, an iterator. After an error it ends.
#[derive(Debug)]
pub struct Batches {
    plan: Arc<Plan>,
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
    /// Prepares batches here where there are no threads.
    own_worker: Option<Worker>,
    next: u64,
    ended: bool,
}

/// Which examples each numbered batch holds.
#[derive(Debug)]
struct Plan {
    shared: Arc<Shared>,
    keeper: Option<Arc<dyn Keeper>>,
    from: Cursor,
    /// The epoch that the stream ends before.
    end: u64,
    /// Batches of the stream up to the end of each of its epochs, as far as was asked for.
    counts: Mutex<Vec<u64>>,
}

impl Plan {
    /// The batch in its epoch that the stream begins with.
    fn first(&self) -> usize {
        if self.from.position == 0 { 0 } else { self.shared.plan(self.from.epoch).batch_at(self.from.position) }
    }

    /// Epoch and number in it of a batch of the stream; `None` behind the end.
    fn locate(&self, number: u64) -> Option<(u64, usize)> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let before = counts.last().copied().unwrap_or(0);
            if number < before {
                let index = counts.partition_point(|&count| count <= number);
                let (start, first) = index.checked_sub(1).map_or((0, self.first()), |last| (counts[last], 0));
                return Some((self.from.epoch + index as u64, first + (number - start) as usize));
            }
            let epoch = self.from.epoch + counts.len() as u64;
            if epoch >= self.end {
                return None;
            }
            let first = if counts.is_empty() { self.first() } else { 0 };
            let batches = self.shared.plan(epoch).len() - first;
            if batches == 0 && !counts.is_empty() {
                return None;
            }
            counts.push(before + batches as u64);
        }
    }

    fn prepare(&self, number: u64, worker: &mut Worker, buffers: Buffers) -> Result<Prepared, DataError> {
        let (epoch, index) = self.locate(number).expect("only batches of the stream are prepared");
        let plan = self.shared.plan(epoch);
        let mut places = plan.range(index);
        if epoch == self.from.epoch {
            places.start = places.start.max(self.from.position as usize);
        }
        let cursor = Cursor { epoch, position: places.start as u64 };
        let next = if index + 1 == plan.len() {
            Cursor { epoch: epoch + 1, position: 0 }
        } else {
            Cursor { epoch, position: places.end as u64 }
        };
        let keeper = self.keeper.as_deref();
        self.shared.preparer.prepare(&plan.ids[places], cursor, next, keeper, worker, buffers)
    }
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    /// A batch was put into its slot.
    filled: Condvar,
    /// A batch was handed over, or all is to stop.
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    claimed: u64,
    delivered: u64,
    ready: BTreeMap<u64, Result<Prepared, DataError>>,
    used: Vec<Buffers>,
    stopped: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between statements even where a thread panicked, so a poisoned lock is as good as any.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batches {
    pub(super) fn start(shared: Arc<Shared>, from: Cursor, end: u64, keeper: Option<Arc<dyn Keeper>>) -> Batches {
        let (workers, prefetch) = (shared.workers, shared.prefetch as u64);
        let plan = Arc::new(Plan { shared, keeper, from, end, counts: Mutex::default() });
        let queue = Arc::new(Queue::default());
        // More threads than batches ahead would only wait.
        let ahead = prefetch.max(workers as u64);
        let threads: Vec<JoinHandle<()>> = (0..workers as u64)
            .take_while(|&number| plan.locate(number).is_some())
            .filter_map(|_| {
                let (plan, queue) = (plan.clone(), queue.clone());
                let named = std::thread::Builder::new().name("retune-data".into());
                named.spawn(move || work(&plan, &queue, ahead)).ok()
            })
            .collect();
        let own_worker = threads.is_empty().then(Worker::default);
        Batches { plan, queue, threads, own_worker, next: 0, ended: false }
    }

    /// Gives a batch's memory back, to be used for a later one.
    pub fn recycle(&mut self, batch: Batch) {
        let mut state = self.queue.lock();
        if state.used.len() < self.plan.shared.prefetch + self.plan.shared.workers + 1 {
            state.used.push(Buffers::of(batch));
        }
    }

    fn take(&mut self, number: u64) -> Result<Prepared, DataError> {
        if let Some(worker) = &mut self.own_worker {
            let buffers = self.queue.lock().used.pop().unwrap_or_default();
            return self.plan.prepare(number, worker, buffers);
        }
        let mut state = self.queue.lock();
        loop {
            if let Some(prepared) = state.ready.remove(&number) {
                state.delivered = number + 1;
                self.queue.moved.notify_all();
                return prepared;
            }
            state = self.queue.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Result<Batch, DataError>> {
        while !self.ended && self.plan.locate(self.next).is_some() {
            let number = self.next;
            self.next += 1;
            let delivered = self.take(number).and_then(|prepared| {
                self.plan.shared.note_skipped(prepared.skipped)?;
                Ok(prepared.batch)
            });
            match delivered {
                Ok(batch) if batch.is_empty() => {}
                Ok(batch) => return Some(Ok(batch)),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.queue.lock().stopped = true;
        self.queue.moved.notify_all();
        for thread in self.threads.drain(..) {
            // A thread's panic was already delivered as an error.
            let _ = thread.join();
        }
    }
}

fn work(plan: &Plan, queue: &Queue, ahead: u64) {
    let mut worker = Worker::default();
    loop {
        let mut state = queue.lock();
        while !state.stopped && state.claimed >= state.delivered + ahead {
            state = queue.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped || plan.locate(state.claimed).is_none() {
            return;
        }
        let number = state.claimed;
        state.claimed += 1;
        let buffers = state.used.pop().unwrap_or_default();
        drop(state);
        let prepared = catch_unwind(AssertUnwindSafe(|| plan.prepare(number, &mut worker, buffers)));
        let prepared = prepared.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let message = text.or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            Err(DataError::Panicked { message: message.unwrap_or_else(|| "without a message".into()) })
        });
        queue.lock().ready.insert(number, prepared);
        queue.filled.notify_one();
    }
}
