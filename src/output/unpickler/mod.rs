//! A machine for the pickles of one kind of object: a `dict[str, numpy.ndarray]` of little-endian float32 in C order.
//! It runs nothing: the few globals that such a pickle names are values here, and what calling them gives is worked out
//! from their arguments (`numpy.rs`). Any other opcode, global or state of the stack is an error.
//!
//! It understands this crate's writer, and what Python 3 with NumPy pickles itself in protocols 2 to 5. Text and bytes
//! stay in the file: a value is where they are. Memory is bounded by the constants below, whatever the file says.

mod numpy;
mod source;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

pub use source::{Source, Span, invalid};

use super::opcode as op;

/// Values. Python adds at most 1,000 pairs to a dict at once.
const MAX_STACK: usize = 4096;
/// Parts of a tuple: so many has the state of a dtype. It is also the most dimensions of an array.
const MAX_TUPLE: usize = 8;
/// Levels of tuples in tuples. NumPy writes two.
const MAX_DEPTH: usize = 3;
/// Entries. What arrays share comes with the first of them; later entries are forgotten, and asking for one is an error.
const MAX_MEMO: usize = 1 << 12;
/// A path has at most 4,096 bytes on Linux, and 32,767 UTF-16 units on Windows.
const MAX_KEY_BYTES: u64 = 1 << 17;

/// The values of an array.
#[derive(Debug, Clone, Copy)]
pub enum Data {
    /// As they are.
    Raw(Span),
    /// Each byte as the UTF-8 of the character of that number: protocol 2 has no bytes.
    Latin1(Span),
}

#[derive(Debug)]
pub struct Array {
    pub shape: Vec<usize>,
    pub data: Data,
}

#[derive(Debug, Clone)]
enum Value {
    Mark,
    None,
    Bool(bool),
    Int(i64),
    Text(Span),
    Bytes(Data),
    Tuple(Arc<Tuple>),
    Global(numpy::Global),
    /// `dtype("<f4")`, the only one.
    Float32,
    /// What `_reconstruct` gives: an array for BUILD to fill.
    EmptyArray,
    Array(Arc<Array>),
    Dict,
}

#[derive(Debug)]
struct Tuple {
    /// 1 where there is no tuple in it.
    depth: usize,
    items: Vec<Value>,
}

#[derive(Debug)]
pub struct Unpickler {
    source: Source,
    protocol: u8,
    /// Where the running opcode is, for errors.
    opcode_at: u64,
    /// Where the program goes on.
    at: u64,
    stack: Vec<Value>,
    memo: HashMap<u32, Value>,
    /// How often MEMOIZE ran, which is the number that the next one gives.
    memoized: u32,
    /// Pairs in the dict that have not been handed out.
    ready: VecDeque<(Span, Arc<Array>)>,
    has_dict: bool,
    stopped: bool,
}

impl Unpickler {
    /// Starts at the beginning of a file.
    pub fn new(source: Source) -> io::Result<Unpickler> {
        let mut unpickler = Unpickler {
            source,
            protocol: 0,
            opcode_at: 0,
            at: 0,
            stack: Vec::new(),
            memo: HashMap::new(),
            memoized: 0,
            ready: VecDeque::new(),
            has_dict: false,
            stopped: false,
        };
        match unpickler.take()? {
            [op::PROTO, protocol @ 2..=5] => unpickler.protocol = protocol,
            start => {
                let start = start.escape_ascii();
                let problem = format!("it starts with \"{start}\", as no pickle of protocol 2 to 5 does");
                return Err(invalid(0, problem));
            }
        }
        Ok(unpickler)
    }

    pub fn source(&mut self) -> &mut Source {
        &mut self.source
    }

    /// The next pair of the dict, and nothing after the last. An error is the last answer.
    pub fn next_pair(&mut self) -> io::Result<Option<(String, Arc<Array>)>> {
        let pair = self.run_to_pair();
        self.stopped |= pair.is_err();
        pair
    }

    fn run_to_pair(&mut self) -> io::Result<Option<(String, Arc<Array>)>> {
        while !self.stopped {
            if let Some((key, array)) = self.ready.pop_front() {
                return Ok(Some((self.key(key)?, array)));
            }
            self.opcode_at = self.at;
            let [opcode] = self.take()?;
            self.step(opcode)?;
        }
        Ok(None)
    }

    fn step(&mut self, opcode: u8) -> io::Result<()> {
        match opcode {
            op::FRAME => self.frame(),
            op::MARK => self.push(Value::Mark),
            op::POP => self.pop().map(drop),
            op::NONE => self.push(Value::None),
            op::NEWTRUE => self.push(Value::Bool(true)),
            op::NEWFALSE => self.push(Value::Bool(false)),
            op::BININT | op::BININT1 | op::BININT2 | op::LONG1 => self.int(opcode),
            op::SHORT_BINBYTES | op::BINBYTES | op::BINBYTES8 | op::BYTEARRAY8 => {
                let bytes = self.span(opcode)?;
                self.push(Value::Bytes(Data::Raw(bytes)))
            }
            op::SHORT_BINUNICODE | op::BINUNICODE | op::BINUNICODE8 => {
                let text = self.span(opcode)?;
                self.push(Value::Text(text))
            }
            op::EMPTY_TUPLE => self.tuple(Vec::new()),
            op::TUPLE1 => self.pop_many(1).and_then(|items| self.tuple(items)),
            op::TUPLE2 => self.pop_many(2).and_then(|items| self.tuple(items)),
            op::TUPLE3 => self.pop_many(3).and_then(|items| self.tuple(items)),
            op::TUPLE => self.pop_to_mark().and_then(|items| self.tuple(items)),
            op::MEMOIZE | op::BINPUT | op::LONG_BINPUT => self.put(opcode),
            op::BINGET | op::LONG_BINGET => self.get(opcode),
            op::GLOBAL => self.global(),
            op::STACK_GLOBAL => self.stack_global(),
            op::REDUCE => self.reduce(),
            op::BUILD => self.build(),
            op::EMPTY_DICT => self.dict(),
            op::SETITEM => self.pop_many(2).and_then(|pair| self.set_items(pair)),
            op::SETITEMS => self.pop_to_mark().and_then(|pairs| self.set_items(pairs)),
            op::STOP => self.stop(),
            other => Err(self.refuse(format!("it contains the opcode {other:#04x}, {}", op::name(other)))),
        }
    }

    /// The next bytes of the program.
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.source.read_at(self.at, &mut bytes)?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// A frame is how much of the program follows; nothing here needs to know.
    fn frame(&mut self) -> io::Result<()> {
        let len = u64::from_le_bytes(self.take()?);
        self.source.check(Span { at: self.at, len }).map(drop)
    }

    fn int(&mut self, opcode: u8) -> io::Result<()> {
        let value = match opcode {
            op::BININT1 => i64::from(u8::from_le_bytes(self.take()?)),
            op::BININT2 => i64::from(u16::from_le_bytes(self.take()?)),
            op::BININT => i64::from(i32::from_le_bytes(self.take()?)),
            _ => self.long()?,
        };
        self.push(Value::Int(value))
    }

    /// An integer of 0 to 8 bytes, in two's complement.
    fn long(&mut self) -> io::Result<i64> {
        let [len @ 0..=8] = self.take()? else {
            return Err(self.refuse("it contains an integer of more than 8 bytes"));
        };
        let mut bytes = [0; 8];
        self.source.read_at(self.at, &mut bytes[8 - usize::from(len)..])?;
        self.at += u64::from(len);
        // The bytes fill the upper end, from where the shift extends their sign.
        Ok(if len == 0 { 0 } else { i64::from_le_bytes(bytes) >> (64 - 8 * u32::from(len)) })
    }

    /// Passes over text or bytes.
    fn span(&mut self, opcode: u8) -> io::Result<Span> {
        let len = match opcode {
            op::SHORT_BINBYTES | op::SHORT_BINUNICODE => u64::from(u8::from_le_bytes(self.take()?)),
            op::BINBYTES | op::BINUNICODE => u64::from(u32::from_le_bytes(self.take()?)),
            _ => u64::from_le_bytes(self.take()?),
        };
        let span = self.source.check(Span { at: self.at, len })?;
        self.at += len;
        Ok(span)
    }

    fn push(&mut self, value: Value) -> io::Result<()> {
        if self.stack.len() == MAX_STACK {
            return Err(self.refuse(format!("it puts more than {MAX_STACK} values on the stack")));
        }
        self.stack.push(value);
        Ok(())
    }

    /// A mark is no value.
    fn pop(&mut self) -> io::Result<Value> {
        match self.stack.pop() {
            None | Some(Value::Mark) => Err(self.refuse("a value is missing on the stack")),
            Some(value) => Ok(value),
        }
    }

    fn pop_many(&mut self, count: usize) -> io::Result<Vec<Value>> {
        let mut values = (0..count).map(|_| self.pop()).collect::<io::Result<Vec<Value>>>()?;
        values.reverse();
        Ok(values)
    }

    fn pop_to_mark(&mut self) -> io::Result<Vec<Value>> {
        let Some(mark) = self.stack.iter().rposition(|value| matches!(value, Value::Mark)) else {
            return Err(self.refuse("a mark is missing on the stack"));
        };
        let values = self.stack.split_off(mark + 1);
        self.stack.pop();
        Ok(values)
    }

    fn tuple(&mut self, items: Vec<Value>) -> io::Result<()> {
        let depth_of = |item: &Value| if let Value::Tuple(tuple) = item { tuple.depth } else { 0 };
        let depth = 1 + items.iter().map(depth_of).max().unwrap_or(0);
        if items.len() > MAX_TUPLE || depth > MAX_DEPTH {
            let (len, problem) = (items.len(), "none has more than");
            return Err(self.refuse(format!(
                "it contains a tuple of {len} parts, {depth} levels deep; {problem} {MAX_TUPLE} and {MAX_DEPTH}"
            )));
        }
        self.push(Value::Tuple(Arc::new(Tuple { depth, items })))
    }

    fn put(&mut self, opcode: u8) -> io::Result<()> {
        if (opcode == op::MEMOIZE) != (self.protocol >= 4) {
            let (name, protocol) = (op::name(opcode), self.protocol);
            return Err(self.refuse(format!("{name} does not belong into protocol {protocol}")));
        }
        let index = match opcode {
            op::BINPUT => u32::from(u8::from_le_bytes(self.take()?)),
            op::LONG_BINPUT => u32::from_le_bytes(self.take()?),
            _ => self.memoized,
        };
        self.memoized = self.memoized.wrapping_add(1);
        match self.stack.last() {
            None | Some(Value::Mark) => return Err(self.refuse("a value is missing on the stack")),
            Some(value) if self.memo.len() < MAX_MEMO || self.memo.contains_key(&index) => {
                self.memo.insert(index, value.clone());
            }
            Some(_) => {}
        }
        Ok(())
    }

    fn get(&mut self, opcode: u8) -> io::Result<()> {
        let index = match opcode {
            op::BINGET => u32::from(u8::from_le_bytes(self.take()?)),
            _ => u32::from_le_bytes(self.take()?),
        };
        match self.memo.get(&index).cloned() {
            Some(value) => self.push(value),
            None => Err(self.refuse(format!(
                "entry {index} of the memo was not set, or came after {MAX_MEMO} others and was not kept"
            ))),
        }
    }

    fn dict(&mut self) -> io::Result<()> {
        if self.has_dict || !self.stack.is_empty() {
            return Err(self.refuse("it contains a dict within the dict"));
        }
        self.has_dict = true;
        self.push(Value::Dict)
    }

    /// Adds pairs to the dict, which must be all that is left on the stack: what lies deeper is its content.
    fn set_items(&mut self, items: Vec<Value>) -> io::Result<()> {
        if !matches!(self.stack[..], [Value::Dict]) {
            return Err(self.refuse("it adds entries to something that is not the dict"));
        }
        let (pairs, rest) = items.as_chunks();
        for pair in pairs {
            match pair {
                [Value::Text(key), Value::Array(array)] => self.ready.push_back((*key, array.clone())),
                [key, value] => {
                    let (key, value) = (describe(key), describe(value));
                    return Err(self.refuse(format!("an entry is {key} with {value}, not a str with a float32 array")));
                }
            }
        }
        if rest.is_empty() { Ok(()) } else { Err(self.refuse("a key has no value")) }
    }

    fn stop(&mut self) -> io::Result<()> {
        let [Value::Dict] = self.stack[..] else {
            return Err(self.refuse("it is no pickle of a dict alone"));
        };
        let rest = self.source.len() - self.at;
        if rest > 0 {
            return Err(invalid(self.at, format!("{rest} bytes follow the end of the pickle; it is damaged")));
        }
        self.stopped = true;
        Ok(())
    }

    fn key(&mut self, Span { at, len }: Span) -> io::Result<String> {
        if len > MAX_KEY_BYTES {
            return Err(invalid(at, format!("a key of {len} bytes; the limit is {MAX_KEY_BYTES}")));
        }
        let mut bytes = vec![0; len as usize];
        self.source.read_at(at, &mut bytes)?;
        String::from_utf8(bytes).map_err(|_| invalid(at, "a key that is not UTF-8"))
    }

    /// An error about the running opcode: something that no features file contains.
    fn refuse(&self, problem: impl std::fmt::Display) -> io::Error {
        invalid(
            self.opcode_at,
            format!(
                "{problem}: this is no features file, or it is damaged; do not load it with Python unless you trust it"
            ),
        )
    }
}

/// A value in words, for errors.
fn describe(value: &Value) -> &'static str {
    match value {
        Value::Mark => "a mark",
        Value::None => "None",
        Value::Bool(_) => "a bool",
        Value::Int(_) => "an integer",
        Value::Text(_) => "a str",
        Value::Bytes(_) => "bytes",
        Value::Tuple(_) => "a tuple",
        Value::Global(_) => "a function",
        Value::Float32 => "a dtype",
        Value::EmptyArray => "an array without values",
        Value::Array(_) => "an array",
        Value::Dict => "the dict",
    }
}
