//! Questions asked at the same time. Each thread of another closure or another result is 3 KB of
//! code: here all are of one kind.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};

/// What another thread finds out.
pub struct Meanwhile<'scope, T> {
    found: Arc<Mutex<Option<T>>>,
    thread: ScopedJoinHandle<'scope, ()>,
}

/// Has another thread find something out.
pub fn meanwhile<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    act: impl FnOnce() -> T + Send + 'scope,
) -> Meanwhile<'scope, T> {
    let found = Arc::new(Mutex::new(None));
    let place = Arc::clone(&found);
    let act: Box<dyn FnOnce() + Send + 'scope> = Box::new(move || {
        let one = act();
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(one);
    });
    Meanwhile { found, thread: scope.spawn(act) }
}

impl<T> Meanwhile<'_, T> {
    /// What it found, once it has.
    ///
    /// # Panics
    /// Where that thread did.
    #[must_use]
    pub fn join(self) -> T {
        let done = "a reading thread does not panic";
        self.thread.join().expect(done);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.take().expect(done)
    }
}
