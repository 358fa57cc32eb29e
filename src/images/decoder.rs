//! Decoding, in this process or in one of its own, where a decoder that crashes or never ends costs one image.
//!
//! Such a process is this program again, told to [`serve`]. It gets the bytes of a file over its standard input, answers with
//! pixels or the reason why there are none over its standard output, and ends when its input does, as when its parent was
//! killed. It opens no file.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Filter, ImageError, decode, decode_lenient, resize};

/// The most seconds that a process of its own may take for one image. What the limits on pixels and scans let through takes
/// three on a processor that does nothing else.
pub const MAX_SECONDS: u64 = 60;

/// The exit status of a process that took longer.
const TOOK_TOO_LONG: i32 = 124;

/// The longest first line of a request or an answer.
const MAX_LINE_BYTES: u64 = 1 << 16;

/// How the bytes of a file become a network's input.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Decoding {
    /// `[h, w]` to resize to.
    pub size: [usize; 2],
    /// The filter that resizes.
    pub filter: Filter,
    /// Whether images are decoded as by [`decode_lenient`].
    pub lenient: bool,
}

impl Decoding {
    /// The pixels, `[h, w, 3]`.
    pub fn pixels(&self, bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
        let image = if self.lenient { decode_lenient(bytes)? } else { decode(bytes)? };
        let [h, w] = self.size;
        Ok(resize(&image, w, h, self.filter).pixels)
    }
}

/// The first line of a request; that many bytes follow. The first line of an answer is a `Result<(), ImageError>`, and the
/// pixels follow where it is `Ok`.
#[derive(Serialize, Deserialize)]
struct Request {
    decoding: Decoding,
    bytes: u64,
}

/// Decodes images one after another, in a process of its own where there is a command for it.
#[derive(Debug)]
pub(crate) struct Decoder {
    decoding: Decoding,
    command: Option<fn() -> Command>,
    process: Option<Process>,
}

impl Decoder {
    pub fn new(decoding: Decoding, command: Option<fn() -> Command>) -> Decoder {
        Decoder { decoding, command, process: None }
    }

    /// What [`Decoding::pixels`] gives, or [`ImageError::Crashed`]. Where no process can be started, this one decodes.
    pub fn pixels(&mut self, bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
        // One that has ended between two images, killed from outside, is no image's fault.
        self.process.take_if(|process| !process.is_alive());
        if self.process.is_none() {
            self.process = self.command.and_then(|command| Process::start(command()).ok());
        }
        let Some(process) = &mut self.process else { return self.decoding.pixels(bytes) };
        match process.ask(self.decoding, bytes) {
            Ok(answer) => answer,
            Err(_) => Err(ImageError::Crashed(self.process.take().map_or(String::new(), Process::end))),
        }
    }
}

#[derive(Debug)]
struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(mut command: Command) -> io::Result<Process> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        Ok(Process { child, input, output: BufReader::new(output) })
    }

    fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The outer error is that of a process that has ended, or makes no sense.
    fn ask(&mut self, decoding: Decoding, bytes: &[u8]) -> io::Result<Result<Vec<u8>, ImageError>> {
        write_message(&mut self.input, &Request { decoding, bytes: bytes.len() as u64 }, bytes)?;
        let line = read_line(&mut self.output)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        match serde_json::from_str::<Result<(), ImageError>>(&line)? {
            Err(error) => Ok(Err(error)),
            Ok(()) => {
                let [h, w] = decoding.size;
                let mut pixels = vec![0; h * w * 3];
                self.output.read_exact(&mut pixels)?;
                Ok(Ok(pixels))
            }
        }
    }

    /// How it ended, in words.
    fn end(mut self) -> String {
        // One that makes no sense is still there.
        let _ = self.child.kill();
        match self.child.wait() {
            Ok(status) if status.code() == Some(TOOK_TOO_LONG) => format!("more than {MAX_SECONDS} s on one image"),
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }
}

impl Drop for Process {
    /// Its input ends with `self`, and it with its input; nobody waits for an image that nobody wants.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Decodes what `input` asks for until it ends. One image that takes longer than `max_seconds` ends the process.
///
/// # Errors
/// Those of the two streams, and a request that is none.
pub fn serve(input: impl Read, mut output: impl Write, max_seconds: u64) -> io::Result<()> {
    let mut input = BufReader::new(input);
    let watch = Arc::new(Watch::default());
    thread::spawn({
        let watch = watch.clone();
        move || watch.end_process_after(max_seconds)
    });
    while let Some(line) = read_line(&mut input)? {
        let request: Request = serde_json::from_str(&line)?;
        // For each anew: one large file must not keep its memory to the end.
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(request.bytes as usize)?;
        input.by_ref().take(request.bytes).read_to_end(&mut bytes)?;
        watch.turn();
        let decoded = request.decoding.pixels(&bytes);
        // Whoever reads the answer may be stopped for as long as its user likes.
        watch.turn();
        match decoded {
            Ok(pixels) => write_message(&mut output, &Ok::<(), ImageError>(()), &pixels)?,
            Err(error) => write_message(&mut output, &Err::<(), ImageError>(error), &[])?,
        }
    }
    Ok(())
}

/// Counts turns: from even to odd when an image begins, and back when it is done.
#[derive(Default)]
struct Watch(AtomicU64);

impl Watch {
    fn turn(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Time is counted tick by tick: that in which the whole process was stopped does not count.
    fn end_process_after(&self, max_seconds: u64) {
        const TICKS_A_SECOND: u64 = 10;
        let (mut seen, mut ticks) = (0, 0);
        while ticks <= max_seconds.saturating_mul(TICKS_A_SECOND) {
            thread::sleep(Duration::from_secs(1) / TICKS_A_SECOND as u32);
            let now = self.0.load(Ordering::Relaxed);
            ticks = if now == seen && now % 2 == 1 { ticks + 1 } else { 0 };
            seen = now;
        }
        std::process::exit(TOOK_TOO_LONG);
    }
}

/// `head` as a line of JSON, then `rest`, which may be large and is not copied.
fn write_message(to: &mut impl Write, head: &impl Serialize, rest: &[u8]) -> io::Result<()> {
    let mut line = serde_json::to_vec(head)?;
    line.push(b'\n');
    to.write_all(&line)?;
    to.write_all(rest)?;
    to.flush()
}

/// The next line, or nothing at the end.
fn read_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    input.take(MAX_LINE_BYTES).read_line(&mut line)?;
    Ok((!line.is_empty()).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DECODING: Decoding = Decoding { size: [4, 6], filter: Filter::Nearest, lenient: false };

    fn photo() -> Vec<u8> {
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/photos/photo_0000.jpg")).unwrap()
    }

    #[test]
    fn requests_are_answered_in_their_order_with_pixels_or_reasons() {
        let (mut requests, mut answers) = (Vec::new(), Vec::new());
        for bytes in [&photo()[..], b"hello", b"", &photo()] {
            write_message(&mut requests, &Request { decoding: DECODING, bytes: bytes.len() as u64 }, bytes).unwrap();
        }
        serve(&requests[..], &mut answers, MAX_SECONDS).unwrap();
        let mut answers = &answers[..];
        for expected in [Ok(()), Err("starts with \"hello\""), Err("empty"), Ok(())] {
            let answer = read_line(&mut answers).unwrap().unwrap();
            match (serde_json::from_str::<Result<(), ImageError>>(&answer).unwrap(), expected) {
                (Ok(()), Ok(())) => {
                    let (pixels, rest) = answers.split_at(4 * 6 * 3);
                    assert_eq!(pixels, DECODING.pixels(&photo()).unwrap());
                    answers = rest;
                }
                (Err(error), Err(text)) => assert!(error.to_string().contains(text), "{error}"),
                (answer, expected) => panic!("{answer:?} instead of {expected:?}"),
            }
        }
        assert!(answers.is_empty());
    }

    #[test]
    fn where_no_process_can_be_started_this_one_decodes() {
        let mut decoder = Decoder::new(DECODING, Some(|| Command::new("/no/such/program")));
        assert_eq!(decoder.pixels(&photo()).unwrap(), DECODING.pixels(&photo()).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn a_process_that_makes_no_sense_or_ends_costs_the_image() {
        for command in [|| Command::new("cat"), || Command::new("true")] {
            let mut decoder = Decoder::new(DECODING, Some(command));
            for _ in 0..2 {
                assert!(matches!(decoder.pixels(&photo()), Err(ImageError::Crashed(_))));
            }
        }
    }
}
