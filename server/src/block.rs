//! Waits on the caller's thread for what network threads await. No runtime is needed for that, and none may be in the
//! way: an embedding program calls from wherever it likes, from inside its own runtime too.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

/// Parks the thread until `future` is done. The future must not need a runtime: channels do not.
pub fn block_on<F: Future>(future: F) -> F::Output {
    // A task of the caller's runtime may have used up its turn; what is waited for here must not wait for its next one.
    let mut future = pin!(tokio::task::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    #[test]
    fn what_another_thread_sends_arrives() {
        let (sender, receiver) = oneshot::channel();
        let sending = thread::spawn(move || sender.send(7));
        assert_eq!(block_on(receiver), Ok(7));
        assert_eq!(sending.join().unwrap(), Ok(()));
    }

    #[tokio::test]
    async fn a_task_that_has_used_up_its_turn_may_still_wait() {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        // Far more than a runtime lets a task receive in one turn.
        for number in 0..1000 {
            sender.send(number).unwrap();
        }
        for number in 0..1000 {
            assert_eq!(block_on(receiver.recv()), Some(number));
        }
    }
}
