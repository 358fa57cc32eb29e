//! The output file.
