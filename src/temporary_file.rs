//! Files that appear under their name only when they are complete.

use std::io;
use std::path::Path;
use tempfile::NamedTempFile;

/// A temporary file in the folder of `path`, so that it can be renamed to it. Dropping it removes it.
pub(crate) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vgg-wgpu-").suffix(".tmp");
    // Temporary files are private by default; what is renamed is an ordinary file, whose mode the umask decides.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
