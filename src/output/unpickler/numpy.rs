//! What the globals of a features file give when Python calls them: `ndarray.__reduce__`, `dtype.__reduce__`, and for
//! protocol 5 `ndarray.__reduce_ex__`, as NumPy 1 and 2 write them.

use std::io;
use std::sync::Arc;

use super::{Array, Data, Span, Unpickler, Value, describe};

/// The longest of module and name that is allowed is `numpy._core.multiarray`.
const MAX_NAME_BYTES: usize = 64;

/// The globals that a features file may name.
#[derive(Debug, Clone, Copy)]
pub enum Global {
    Reconstruct,
    FromBuffer,
    NdArray,
    Dtype,
    /// `_codecs.encode`: how protocol 2 writes bytes.
    Encode,
}

impl Global {
    fn named(module: &str, name: &str) -> Option<Global> {
        Some(match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Global::Reconstruct,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Global::FromBuffer,
            ("numpy", "ndarray") => Global::NdArray,
            ("numpy", "dtype") => Global::Dtype,
            ("_codecs", "encode") => Global::Encode,
            _ => return None,
        })
    }
}

impl Unpickler {
    /// Module and name, each on a line of its own.
    pub(super) fn global(&mut self) -> io::Result<()> {
        let (module, name) = (self.line()?, self.line()?);
        self.push_global(&module, &name)
    }

    /// Module and name from the stack.
    pub(super) fn stack_global(&mut self) -> io::Result<()> {
        match &self.pop_many(2)?[..] {
            [Value::Text(module), Value::Text(name)] => {
                let (module, name) = (self.name(*module)?, self.name(*name)?);
                self.push_global(&module, &name)
            }
            _ => Err(self.refuse("it names a global with something that is no text")),
        }
    }

    fn push_global(&mut self, module: &str, name: &str) -> io::Result<()> {
        match Global::named(module, name) {
            Some(global) => self.push(Value::Global(global)),
            None => Err(self.refuse(format!("it asks for the global {module:?} {name:?}"))),
        }
    }

    pub(super) fn reduce(&mut self) -> io::Result<()> {
        let (callable, arguments) = match &self.pop_many(2)?[..] {
            [Value::Global(global), Value::Tuple(arguments)] => (*global, arguments.clone()),
            [callable, arguments] => {
                let (callable, arguments) = (describe(callable), describe(arguments));
                return Err(self.refuse(format!("it calls {callable} with {arguments}")));
            }
            _ => unreachable!("two were popped"),
        };
        let value = match (callable, &arguments.items[..]) {
            // Shape and type of the empty array do not matter: BUILD sets them.
            (Global::Reconstruct, [Value::Global(Global::NdArray), Value::Tuple(_), Value::Bytes(_)]) => {
                Value::EmptyArray
            }
            (Global::FromBuffer, [Value::Bytes(data), Value::Float32, Value::Tuple(shape), Value::Text(order)]) => {
                let order = self.name(*order)?;
                if order != "C" {
                    return Err(self.refuse(format!("an array is in the order {order:?}, not \"C\"")));
                }
                self.array(&shape.items, *data)?
            }
            (Global::Dtype, [Value::Text(name), Value::Bool(_), Value::Bool(_)]) => {
                let name = self.name(*name)?;
                if name != "f4" {
                    return Err(self.refuse(format!("an array is of dtype {name:?}, not float32 (\"f4\")")));
                }
                Value::Float32
            }
            (Global::Encode, [Value::Text(text), Value::Text(encoding)]) => {
                let encoding = self.name(*encoding)?;
                if encoding != "latin1" {
                    return Err(self.refuse(format!("bytes are encoded as {encoding:?}, not \"latin1\"")));
                }
                Value::Bytes(Data::Latin1(*text))
            }
            (global, _) => return Err(self.refuse(format!("it calls {global:?} with other arguments than NumPy does"))),
        };
        self.push(value)
    }

    /// `__setstate__`.
    pub(super) fn build(&mut self) -> io::Result<()> {
        let (object, state) = match &self.pop_many(2)?[..] {
            [object, Value::Tuple(state)] => (object.clone(), state.clone()),
            [object, state] => {
                return Err(self.refuse(format!("it sets the state of {} to {}", describe(object), describe(state))));
            }
            _ => unreachable!("two were popped"),
        };
        let value = match (object, &state.items[..]) {
            (
                Value::EmptyArray,
                [Value::Int(1), Value::Tuple(shape), Value::Float32, Value::Bool(false), Value::Bytes(data)],
            ) => self.array(&shape.items, *data)?,
            (Value::EmptyArray, [_, _, _, Value::Bool(true), _]) => {
                return Err(self.refuse("an array is in Fortran's order, not C's"));
            }
            (Value::Float32, [Value::Int(3), Value::Text(order), ..]) => {
                let order = self.name(*order)?;
                if order != "<" {
                    return Err(self.refuse(format!("an array's byte order is {order:?}, not little-endian (\"<\")")));
                }
                Value::Float32
            }
            (object, _) => {
                let object = describe(&object);
                return Err(self.refuse(format!("it sets the state of {object} to another than NumPy does")));
            }
        };
        self.push(value)
    }

    /// An array whose values must be as many bytes as its shape asks for.
    fn array(&self, shape: &[Value], data: Data) -> io::Result<Value> {
        let dim = |value: &Value| if let Value::Int(dim) = value { usize::try_from(*dim).ok() } else { None };
        let Some(shape) = shape.iter().map(dim).collect::<Option<Vec<usize>>>() else {
            return Err(self.refuse("an array's shape is not made of numbers from 0"));
        };
        let bytes = shape.iter().try_fold(size_of::<f32>(), |bytes, &dim| bytes.checked_mul(dim));
        let fits = match (bytes.map(|bytes| bytes as u64), data) {
            (Some(bytes), Data::Raw(span)) => span.len == bytes,
            // A byte takes one or two; which, is seen when they are read.
            (Some(bytes), Data::Latin1(span)) => (bytes..=bytes.saturating_mul(2)).contains(&span.len),
            (None, _) => false,
        };
        if !fits {
            let (Data::Raw(Span { len, .. }) | Data::Latin1(Span { len, .. })) = data;
            return Err(self.refuse(format!("an array of shape {shape:?} has {len} bytes of float32 values")));
        }
        Ok(Value::Array(Arc::new(Array { shape, data })))
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        while line.len() <= MAX_NAME_BYTES {
            match self.take()? {
                [b'\n'] => return String::from_utf8(line).map_err(|_| self.refuse("a name is not UTF-8")),
                [byte] => line.push(byte),
            }
        }
        Err(self.refuse(format!("it contains a name of more than {MAX_NAME_BYTES} bytes")))
    }

    /// A text that is compared with something, so at most [`MAX_NAME_BYTES`] long.
    fn name(&mut self, Span { at, len }: Span) -> io::Result<String> {
        if len > MAX_NAME_BYTES as u64 {
            return Err(self.refuse(format!("it contains a name of {len} bytes")));
        }
        let mut bytes = vec![0; len as usize];
        self.source.read_at(at, &mut bytes)?;
        String::from_utf8(bytes).map_err(|_| self.refuse("a name is not UTF-8"))
    }
}
