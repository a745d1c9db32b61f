//! How is a future of users' code polled and dropped without its panics reaching anybody else?

use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use event_detector::{Panic, catch_panic};

/// A future whose panics are its result.
///
/// A panic in its drop is swallowed: what it had to say has been said or is no longer wanted.
pub(crate) struct Guarded<F>(Option<F>);

impl<F: Future + Unpin> Guarded<F> {
    /// The future that `make` makes; a panic in `make` is an error at once.
    pub(crate) fn try_new(make: impl FnOnce() -> F) -> Result<Self, Panic> {
        catch_panic(make).map(|future| Self(Some(future)))
    }

    /// Runs the future that `make` makes to its end.
    pub(crate) async fn run(make: impl FnOnce() -> F) -> Result<F::Output, Panic> {
        Self::try_new(make)?.await
    }
}

impl<F: Future + Unpin> Future for Guarded<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut output = None;
        let polled = catch_panic(|| {
            if let Some(future) = &mut self.0
                && let Poll::Ready(ready) = Pin::new(future).poll(cx)
            {
                output = Some(ready);
                self.0 = None;
            }
        });
        match (output, polled) {
            (Some(output), _) => Poll::Ready(Ok(output)),
            (None, Ok(())) => Poll::Pending,
            (None, Err(panic)) => {
                self.discard();
                Poll::Ready(Err(panic))
            }
        }
    }
}

impl<F> Guarded<F> {
    fn discard(&mut self) {
        if let Some(future) = self.0.take() {
            let _swallowed = catch_panic(|| drop(future));
        }
    }
}

impl<F> Drop for Guarded<F> {
    fn drop(&mut self) {
        self.discard();
    }
}

/// Something of users that is only looked at, and whose drop may panic without anybody being reached.
pub(crate) struct Kept<T>(Option<T>);

impl<T> Kept<T> {
    pub(crate) fn new(kept: T) -> Self {
        Self(Some(kept))
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("only the drop takes it")
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        let kept = self.0.take();
        let _swallowed = catch_panic(|| drop(kept));
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::task::Poll;

    use futures::FutureExt;
    use futures::future::BoxFuture;

    use super::{Guarded, Kept};

    struct PanicsOnDrop;

    impl Drop for PanicsOnDrop {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }

    #[test]
    fn a_panic_while_making_or_polling_is_the_result() {
        let making = Guarded::<BoxFuture<'_, ()>>::run(|| panic!("no future")).now_or_never().unwrap();
        let polling = Guarded::<BoxFuture<'_, ()>>::run(|| async { panic!("no luck") }.boxed()).now_or_never().unwrap();

        assert_eq!(making.unwrap_err().message(), "no future");
        assert_eq!(polling.unwrap_err().message(), "no luck");
    }

    #[test]
    fn a_panic_in_the_drop_of_a_finished_future_reaches_nobody() {
        let held = PanicsOnDrop;

        let finished = Guarded::run(|| {
            poll_fn(move |_| {
                let _held = &held;
                Poll::Ready(7)
            })
        });

        assert_eq!(finished.now_or_never(), Some(Ok(7)));
    }

    #[test]
    fn a_panic_in_the_drop_of_a_cut_future_reaches_nobody() {
        let held = PanicsOnDrop;

        let cut = Guarded::run(|| {
            async move {
                let _held = held;
                pending::<()>().await;
            }
            .boxed()
        });

        assert_eq!(cut.now_or_never(), None);
    }

    #[test]
    fn a_panic_in_the_drop_of_what_is_kept_reaches_nobody() {
        drop([Kept::new(PanicsOnDrop), Kept::new(PanicsOnDrop)]);
    }
}
