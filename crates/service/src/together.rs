//! Questions that are asked together: those that come while one is on its way make up the next.
//!
//! So what is asked stays the same when what asks grows, and alone a question is asked at once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

/// Collects questions.
#[derive(Debug)]
pub struct Together<Q, A>(Arc<Mutex<State<Q, A>>>);

/// Whoever waits drives it. So it needs no task of its own, and goes on when some of them leave.
type Asking<A> = Shared<BoxFuture<'static, A>>;

#[derive(Debug)]
struct State<Q, A> {
    /// What is asked next. Only who waits adds to it.
    questions: Vec<Q>,
    next: Option<Asking<A>>,
    now: Option<Asking<A>>,
}

impl<Q, A> Default for Together<Q, A> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { questions: Vec::new(), next: None, now: None })))
    }
}

impl<Q: Send + 'static, A: Clone + Send + Sync + 'static> Together<Q, A> {
    /// Asks by means of `ask`, of which there is one at a time, and which must come to an end by itself.
    ///
    /// Returns which of the questions this one was, and what they were answered.
    pub async fn ask<F>(&self, question: Q, ask: impl FnOnce(Vec<Q>) -> F + Send + 'static) -> (usize, A)
    where
        F: Future<Output = A> + Send + 'static,
    {
        let (place, asking) = {
            let mut state = lock(&self.0);
            let place = state.questions.len();
            state.questions.push(question);
            let before = if state.next.is_none() { state.now.take() } else { None };
            let begun = || begun(self.0.clone(), before, ask).boxed().shared();
            (place, state.next.get_or_insert_with(begun).clone())
        };
        (place, asking.await)
    }
}

async fn begun<Q, A: Clone, F: Future<Output = A>>(
    state: Arc<Mutex<State<Q, A>>>,
    before: Option<Asking<A>>,
    ask: impl FnOnce(Vec<Q>) -> F,
) -> A {
    if let Some(before) = before {
        before.await;
    }
    let questions = {
        let mut state = lock(&state);
        state.now = state.next.take();
        std::mem::take(&mut state.questions)
    };
    let answer = ask(questions).await;
    // If there is a next one by now, it waits for this one and has taken it.
    lock(&state).now = None;
    answer
}

/// Nothing panics halfway through a change.
fn lock<Q, A>(state: &Mutex<State<Q, A>>) -> MutexGuard<'_, State<Q, A>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use futures_util::future::join_all;
    use tokio::sync::oneshot;

    use super::*;

    type Numbers = Together<u32, Vec<u32>>;

    async fn ask(together: &Numbers, number: u32) -> (usize, Vec<u32>) {
        together.ask(number, ready).await
    }

    /// A question that is on its way until the sender is used or dropped.
    fn on_its_way(together: &Numbers) -> (oneshot::Sender<()>, impl Future<Output = (usize, Vec<u32>)>) {
        let (end, ended) = oneshot::channel();
        let asking = together.ask(0, async |numbers| {
            let _ = ended.await;
            numbers
        });
        (end, asking)
    }

    #[tokio::test]
    async fn what_comes_while_one_is_on_its_way_is_asked_together() {
        let together = Numbers::default();
        let (end, first) = on_its_way(&together);
        let mut first = Box::pin(first);
        assert!(first.as_mut().now_or_never().is_none());
        let mut others = Box::pin(join_all([1, 2, 3].map(|number| ask(&together, number))));
        assert!(others.as_mut().now_or_never().is_none());
        end.send(()).unwrap();
        assert_eq!(others.await, [0, 1, 2].map(|place| (place, vec![1, 2, 3])));
        assert_eq!(first.await, (0, vec![0]));
        assert_eq!(ask(&together, 4).await, (0, vec![4]));
    }

    #[tokio::test]
    async fn who_leaves_holds_up_nobody_and_is_asked_for_all_the_same() {
        let together = Numbers::default();
        let (end, first) = on_its_way(&together);
        let mut first = Box::pin(first);
        assert!(first.as_mut().now_or_never().is_none());
        let mut second = Box::pin(ask(&together, 1));
        assert!(second.as_mut().now_or_never().is_none());
        drop((first, second));
        let mut third = Box::pin(ask(&together, 2));
        assert!(third.as_mut().now_or_never().is_none(), "the first is still on its way");
        drop(end);
        assert_eq!(third.await, (1, vec![1, 2]));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn each_of_many_at_once_gets_the_answer_to_its_own() {
        let together = Arc::new(Numbers::default());
        let asked = (0..10_000).map(|number| {
            let together = together.clone();
            tokio::spawn(async move {
                let (place, numbers) = together
                    .ask(number, async |numbers| {
                        tokio::task::yield_now().await;
                        numbers
                    })
                    .await;
                assert_eq!(numbers[place], number);
            })
        });
        for asked in join_all(asked).await {
            asked.unwrap();
        }
    }
}
