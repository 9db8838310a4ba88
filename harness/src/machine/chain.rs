//! How headers, data and trailers go through a chain of filters.
//!
//! This is Envoy's `FilterManager` and `ActiveStreamFilterBase`, one code for both directions: requests pass the
//! filters from first to last, responses from last to first. Envoy's names stand in the comments.

use crate::abi::Callback;
use crate::buffer::Buffer;
use crate::machine::Machine;
use crate::stream::{Direction, HttpStream, Iteration, Side};

/// What a filter says to headers or data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Continue,
    /// `StopIteration` of headers and trailers, `StopIterationNoBuffer` of data.
    Stop,
    /// `StopIterationAndBuffer`
    StopAndBuffer,
    /// `StopIterationAndWatermark`
    StopAndWatermark,
    /// `StopAllIterationAndBuffer`
    StopAllAndBuffer,
    /// `StopAllIterationAndWatermark`
    StopAllAndWatermark,
}

/// Where the data stands that goes through.
#[derive(Debug)]
pub(super) enum Data {
    /// It has just come.
    New(Buffer),
    /// It was held back, and is in the path's buffer.
    Buffered,
}

/// The filter that iteration starts at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    First,
    /// The one after it.
    After(usize),
    /// Itself, if it stopped everything; else the one after it (`CanStartFromCurrent`).
    At(usize),
}

impl Machine {
    #[expect(
        clippy::indexing_slicing,
        clippy::expect_used,
        reason = "a stream lives until its handle is dropped"
    )]
    pub(crate) fn http(&mut self, stream: usize) -> &mut HttpStream {
        self.world().http[stream].as_mut().expect("the stream lives")
    }

    #[expect(clippy::indexing_slicing, reason = "filters are never taken out of a chain")]
    pub(crate) fn side(&mut self, stream: usize, filter: usize, direction: Direction) -> &mut Side {
        self.http(stream).filters[filter].side(direction)
    }

    fn first(&mut self, stream: usize, direction: Direction, start: Start) -> usize {
        let count = self.http(stream).filters.len();
        let place = |filter: usize| match direction {
            Direction::Request => filter,
            Direction::Response => count - 1 - filter,
        };
        match start {
            Start::First => 0,
            Start::After(filter) => place(filter) + 1,
            Start::At(filter) if self.side(stream, filter, direction).from_current => place(filter),
            Start::At(filter) => place(filter) + 1,
        }
    }

    fn nth(&mut self, stream: usize, direction: Direction, place: usize) -> Option<usize> {
        let count = self.http(stream).filters.len();
        if place >= count {
            return None;
        }
        Some(match direction {
            Direction::Request => place,
            Direction::Response => count - 1 - place,
        })
    }

    /// `decodeHeaders`, `encodeHeaders`
    pub(super) fn headers(&mut self, stream: usize, direction: Direction, start: Start, end: bool) {
        let mut place = self.first(stream, direction, start);
        while let Some(filter) = self.nth(stream, direction, place) {
            let before = self.call(stream, direction, HEADERS);
            self.side(stream, filter, direction).end_stream = end;
            let verdict = self.filter_headers(stream, filter, direction, end);
            if self.returned(stream, direction, before) {
                return;
            }
            let side = self.side(stream, filter, direction);
            side.iteration = match verdict {
                Verdict::Continue => {
                    side.headers_continued = true;
                    side.iteration
                }
                Verdict::StopAllAndBuffer => Iteration::StopAllBuffer,
                Verdict::StopAllAndWatermark => Iteration::StopAllWatermark,
                _ => Iteration::StopSingle,
            };
            if verdict != Verdict::Continue {
                self.side(stream, filter, direction).stopped_in = Some(headers_of(direction));
                self.world()
                    .transcript
                    .proxy(|| format!("the stream stops in {}", headers_of(direction).name()));
                return;
            }
            place += 1;
        }
        self.headers_out(stream, direction, end);
    }

    /// `decodeData`, `encodeData`
    pub(super) fn data(
        &mut self,
        stream: usize,
        direction: Direction,
        start: Start,
        mut data: Data,
        mut end: bool,
    ) {
        let replaced = self.http(stream).replaced && direction == Direction::Response;
        if (self.http(stream).path(direction).aborted && !replaced) || self.http(stream).is_over() {
            return;
        }
        let had_trailers = self.http(stream).path(direction).trailers.is_some();
        let mut added_by = None;
        let mut place = self.first(stream, direction, start);
        while let Some(filter) = self.nth(stream, direction, place) {
            let side = self.side(stream, filter, direction);
            if side.stopped_all() {
                let streaming = side.iteration == Iteration::StopAllWatermark;
                self.http(stream).path(direction).streaming = streaming;
                self.hold(stream, direction, data);
                return;
            }
            if side.end_stream {
                return;
            }
            let before = self.call(stream, direction, DATA);
            let ends = end && self.http(stream).path(direction).trailers.is_none();
            self.side(stream, filter, direction).end_stream = ends;
            let verdict = self.filter_data(stream, filter, direction, &mut data, ends);
            if self.returned(stream, direction, before) {
                return;
            }
            if !had_trailers && added_by.is_none() && self.http(stream).path(direction).trailers.is_some() {
                end = false;
                added_by = Some(filter);
            }
            let goes_on = self.after_data(stream, filter, direction, verdict, &mut data);
            if !goes_on {
                if let Some(filter) = added_by {
                    self.trailers(stream, direction, Start::At(filter));
                }
                return;
            }
            place += 1;
        }
        self.data_out(stream, direction, data, end);
        if let Some(filter) = added_by
            && !self.http(stream).is_over()
        {
            self.trailers(stream, direction, Start::At(filter));
        }
    }

    /// `commonHandleAfterDataCallback`: whether the data goes on to the next filter.
    fn after_data(
        &mut self,
        stream: usize,
        filter: usize,
        direction: Direction,
        verdict: Verdict,
        data: &mut Data,
    ) -> bool {
        if verdict == Verdict::Continue {
            if self.side(stream, filter, direction).iteration != Iteration::StopSingle {
                return true;
            }
            let data = std::mem::replace(data, Data::Buffered);
            self.hold(stream, direction, data);
            self.resume(stream, filter, direction);
            return false;
        }
        let callback = data_of(direction);
        let side = self.side(stream, filter, direction);
        side.iteration = Iteration::StopSingle;
        side.stopped_in = Some(callback);
        self.world().transcript.proxy(|| format!("the stream stops in {}", callback.name()));
        match verdict {
            Verdict::StopAndBuffer | Verdict::StopAndWatermark => {
                self.http(stream).path(direction).streaming = verdict == Verdict::StopAndWatermark;
                let data = std::mem::replace(data, Data::Buffered);
                self.hold(stream, direction, data);
            }
            _ => {
                let path = self.http(stream).path(direction);
                // So that a stream that ends here can end when it is resumed.
                if path.ended && path.trailers.is_none() && path.buffered.is_none() {
                    path.buffered = Some(Buffer::default());
                }
            }
        }
        false
    }

    /// `commonHandleBufferData`: keeps what a filter held back.
    pub(super) fn hold(&mut self, stream: usize, direction: Direction, data: Data) {
        let Data::New(mut new) = data else { return };
        let limit = self.settings.buffer_limit;
        let path = self.http(stream).path(direction);
        let buffer = path.buffered.get_or_insert_default();
        let before = buffer.len();
        buffer.absorb(&mut new);
        let crossed = before <= limit && buffer.len() > limit;
        if crossed && path.streaming {
            path.blocked = true;
            self.world()
                .transcript
                .proxy(|| "more than the buffer's limit is held back: reading stops".to_owned());
        } else if crossed {
            self.too_large(stream, direction);
        }
    }

    /// `decodeTrailers`, `encodeTrailers`
    pub(super) fn trailers(&mut self, stream: usize, direction: Direction, start: Start) {
        if self.http(stream).path(direction).aborted || self.http(stream).is_over() {
            return;
        }
        let mut place = self.first(stream, direction, start);
        while let Some(filter) = self.nth(stream, direction, place) {
            if self.side(stream, filter, direction).stopped_all() {
                return;
            }
            let before = self.call(stream, direction, TRAILERS);
            let verdict = self.filter_trailers(stream, filter, direction);
            self.side(stream, filter, direction).end_stream = true;
            if self.returned(stream, direction, before) {
                return;
            }
            let side = self.side(stream, filter, direction);
            if verdict == Verdict::Continue {
                if side.iteration == Iteration::StopSingle {
                    self.resume(stream, filter, direction);
                    return;
                }
            } else {
                let callback = trailers_of(direction);
                if side.can_iterate() {
                    side.iteration = Iteration::StopSingle;
                }
                side.stopped_in = Some(callback);
                self.world().transcript.proxy(|| format!("the stream stops in {}", callback.name()));
                return;
            }
            place += 1;
        }
        self.trailers_out(stream, direction);
    }

    /// `commonContinue`: goes on after a filter that stopped, or that only says so.
    pub(crate) fn resume(&mut self, stream: usize, filter: usize, direction: Direction) {
        let http = self.http(stream);
        let path = http.path(direction);
        if path.aborted || (direction == Direction::Response && path.complete) || http.is_over() {
            return;
        }
        if self.http(stream).path(direction).headers.is_none() {
            // Envoy would crash; there is nothing to go on with.
            return;
        }
        self.world().transcript.proxy(|| "the stream goes on".to_owned());
        let side = self.side(stream, filter, direction);
        if side.stopped_all() {
            side.from_current = true;
        }
        side.iteration = Iteration::Continue;
        side.stopped_in = None;
        if !side.headers_continued {
            side.headers_continued = true;
            let path = self.http(stream).path(direction);
            let end = path.ended && path.buffered.is_none() && path.trailers.is_none();
            self.headers(stream, direction, Start::After(filter), end);
        }
        if self.http(stream).is_over() {
            return;
        }
        let path = self.http(stream).path(direction);
        let (had_trailers, ended) = (path.trailers.is_some(), path.ended);
        if path.buffered.is_some() {
            self.data(stream, direction, Start::At(filter), Data::Buffered, ended && !had_trailers);
        }
        if had_trailers && !self.http(stream).is_over() {
            self.trailers(stream, direction, Start::At(filter));
        }
        self.side(stream, filter, direction).from_current = false;
        if !self.http(stream).is_over() {
            self.unblock(stream, direction);
        }
    }

    /// Notes that a callback of that kind runs (`filter_call_state_`); gives back what ran before.
    fn call(&mut self, stream: usize, direction: Direction, kind: u8) -> u8 {
        let http = self.http(stream);
        let before = http.calling;
        http.calling |= kind << shift(direction);
        before
    }

    /// Notes that it is over; whether the stream is, for this chain, too.
    fn returned(&mut self, stream: usize, direction: Direction, before: u8) -> bool {
        let http = self.http(stream);
        http.calling = before;
        if http.is_over() {
            if direction == Direction::Request {
                self.reply_after_the_end(stream);
            }
            return true;
        }
        if http.path(direction).aborted {
            if direction == Direction::Request {
                self.send_prepared(stream);
            }
            return true;
        }
        false
    }
}

const HEADERS: u8 = 1;
const DATA: u8 = 2;
const TRAILERS: u8 = 4;

fn shift(direction: Direction) -> u8 {
    match direction {
        Direction::Request => 0,
        Direction::Response => 4,
    }
}

/// Whether a callback of that direction runs, given the stream's `calling`.
pub(super) fn runs(calling: u8, direction: Direction) -> bool {
    calling & (0xf << shift(direction)) != 0
}

pub(super) fn headers_of(direction: Direction) -> Callback {
    match direction {
        Direction::Request => Callback::RequestHeaders,
        Direction::Response => Callback::ResponseHeaders,
    }
}

pub(super) fn data_of(direction: Direction) -> Callback {
    match direction {
        Direction::Request => Callback::RequestBody,
        Direction::Response => Callback::ResponseBody,
    }
}

pub(super) fn trailers_of(direction: Direction) -> Callback {
    match direction {
        Direction::Request => Callback::RequestTrailers,
        Direction::Response => Callback::ResponseTrailers,
    }
}
