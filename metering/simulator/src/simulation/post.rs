//! Where the simulated daemon posts slices and ends of calls.

use crate::truth::EndedCall;
use nebula_metering::{Full, PostBox, Posting, Slice};

pub trait Post {
    fn slice(&mut self, slice: Slice) -> Result<(), Full>;
    /// A call has ended. `complete` unless some of its work could not be posted.
    fn end(&mut self, ended: &EndedCall, complete: bool);
}

/// Posts into a box of any type of end.
pub struct Postman<'a, E> {
    pub posts: &'a PostBox<E>,
    pub on_end: &'a mut dyn FnMut(&EndedCall) -> E,
}

impl<E> Post for Postman<'_, E> {
    fn slice(&mut self, slice: Slice) -> Result<(), Full> {
        self.posts.post(Posting::Slice(slice))
    }

    fn end(&mut self, ended: &EndedCall, complete: bool) {
        let end = (self.on_end)(ended);
        if !complete {
            self.posts.count_dropped();
        }
        // An end that does not fit is counted, and its call is never settled.
        let _ = self.posts.end(ended.call, ended.function, None, end);
    }
}
