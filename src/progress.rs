//! What a person sees on stderr while images are worked on.

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a line is written where there is no terminal to draw a bar on.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressMode {
    /// Nothing at all.
    Quiet,
    /// A bar on a terminal, otherwise a line every few seconds.
    Auto,
}

/// Images done of a known total, images/s and the time left. Threads may share it.
#[derive(Debug)]
pub struct Progress(View);

#[derive(Debug)]
enum View {
    Quiet,
    Bar(ProgressBar),
    Lines(Mutex<Lines>),
}

impl Progress {
    /// Progress of `total` images on stderr.
    pub fn new(total: u64, mode: ProgressMode) -> Progress {
        Progress(match mode {
            ProgressMode::Quiet => View::Quiet,
            ProgressMode::Auto if io::stderr().is_terminal() => bar(total, ProgressDrawTarget::stderr()),
            ProgressMode::Auto => View::Lines(Mutex::new(Lines::new(total, Box::new(io::stderr())))),
        })
    }

    /// `images` more are done, well or not.
    pub fn advance(&self, images: u64) {
        match &self.0 {
            View::Quiet => {}
            View::Bar(bar) => bar.inc(images),
            View::Lines(lines) => lock(lines).advance(images, Instant::now()),
        }
    }

    /// Writes a line of its own, above the bar where there is one.
    pub fn println(&self, line: &str) {
        match &self.0 {
            View::Quiet => {}
            View::Bar(bar) => bar.println(line),
            View::Lines(lines) => lock(lines).write(line),
        }
    }

    /// Removes the bar: the closing summary says the rest.
    pub fn finish(&self) {
        if let View::Bar(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: u64, target: ProgressDrawTarget) -> View {
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = write!(out, "{:.1}", state.per_sec());
    };
    // Before the first batch is done nothing is known; {eta} would say 0s.
    let left = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = match state.pos() {
            0 => write!(out, "?"),
            _ => write!(out, "{:#}", HumanDuration(state.eta())),
        };
    };
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} images  {rate} images/s  {left} left")
        .expect("the template is a constant")
        .with_key("rate", rate)
        .with_key("left", left);
    let bar = ProgressBar::with_draw_target(Some(total), target).with_style(style);
    bar.tick();
    // A batch takes seconds on a slow device: the time left goes on between two calls of advance.
    bar.enable_steady_tick(Duration::from_millis(500));
    View::Bar(bar)
}

/// A panic elsewhere leaves the counters as good as before: progress goes on.
fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Lines {
    total: u64,
    done: u64,
    started: Instant,
    last_line: Instant,
    out: Box<dyn Write + Send>,
}

impl Lines {
    fn new(total: u64, out: Box<dyn Write + Send>) -> Lines {
        let now = Instant::now();
        Lines { total, done: 0, started: now, last_line: now, out }
    }

    fn advance(&mut self, images: u64, now: Instant) {
        self.done += images;
        if now - self.last_line < LINE_INTERVAL {
            return;
        }
        self.last_line = now;
        let rate = self.done as f64 / (now - self.started).as_secs_f64();
        let left = self.total.saturating_sub(self.done) as f64 / rate;
        let line = format!("{}/{} images  {rate:.1} images/s  {left:.0} s left", self.done, self.total);
        self.write(&line);
    }

    /// Progress is not worth failing for: where stderr is closed, nothing is shown.
    fn write(&mut self, line: &str) {
        let _ = writeln!(self.out, "{line}");
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("total", &self.total).field("done", &self.done).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::TermLike;
    use std::sync::Arc;

    /// What was written, as a plain stream and as a terminal whose cursor movements are ignored.
    #[derive(Debug, Clone, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl Screen {
        fn text(&self) -> String {
            self.0.lock().unwrap().clone()
        }

        fn add(&self, text: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(text);
            Ok(())
        }
    }

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.add(std::str::from_utf8(bytes).unwrap())?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            100
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.add(text)?;
            self.add("\n")
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.add(text)
        }
        fn clear_line(&self) -> io::Result<()> {
            self.add("<clear>")
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_every_interval_with_rate_and_time_left() {
        let screen = Screen::default();
        let mut lines = Lines::new(100, Box::new(screen.clone()));
        let after = |seconds| lines.started + Duration::from_secs(seconds);
        let (at_1, at_5, at_9, at_10) = (after(1), after(5), after(9), after(10));
        lines.advance(4, at_1);
        assert_eq!(screen.text(), "");
        lines.advance(6, at_5);
        assert_eq!(screen.text(), "10/100 images  2.0 images/s  45 s left\n");
        lines.advance(10, at_9);
        lines.write("cannot decode a.jpg");
        lines.advance(5, at_10);
        let expected = "10/100 images  2.0 images/s  45 s left\n\
                        cannot decode a.jpg\n\
                        25/100 images  2.5 images/s  30 s left\n";
        assert_eq!(screen.text(), expected);
    }

    #[test]
    fn the_bar_counts_prints_lines_above_itself_and_goes_away() {
        let screen = Screen::default();
        let progress = Progress(bar(8, ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255)));
        assert!(screen.text().contains("0/8 images  0.0 images/s  ? left"), "{:?}", screen.text());
        progress.advance(3);
        progress.println("cannot decode a.jpg");
        let text = screen.text();
        let (_, after_warning) = text.split_once("cannot decode a.jpg").expect("the warning is written");
        assert!(text.contains("<clear>"), "the bar was not cleared for the warning: {text:?}");
        assert!(after_warning.starts_with('\n') || after_warning.starts_with(' '), "{after_warning:?}");
        assert!(after_warning.contains("3/8 images") && after_warning.contains("images/s"), "{after_warning:?}");
        progress.finish();
        assert!(screen.text().ends_with("<clear>"), "{:?}", screen.text());
    }

    #[test]
    fn quiet_shows_nothing() {
        let progress = Progress::new(8, ProgressMode::Quiet);
        progress.advance(8);
        progress.println("line");
        progress.finish();
        assert!(matches!(progress.0, View::Quiet));
    }
}
