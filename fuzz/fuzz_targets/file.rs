//! Input for what reads files.

use std::fs;
use std::path::PathBuf;

/// A file of this process with this content, in memory where the system has a place for that.
pub fn with_content(content: &[u8]) -> PathBuf {
    let shared_memory = PathBuf::from("/dev/shm");
    let folder = if shared_memory.is_dir() { shared_memory } else { std::env::temp_dir() };
    let path = folder.join(format!("vgg-wgpu-fuzz-{}", std::process::id()));
    // A new file, so that no map of the one before changes under its reader.
    let _ = fs::remove_file(&path);
    fs::write(&path, content).expect("the temporary folder can be written");
    path
}
