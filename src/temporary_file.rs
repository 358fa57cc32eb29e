//! Files that appear under their name only when they are complete.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use tempfile::NamedTempFile;

const SUFFIX: &str = ".tmp";

/// Random characters in a name.
const RANDOM: usize = 6;

/// A temporary file in the folder of `path`, so that it can be renamed to it. Dropping it removes it.
pub(crate) fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let prefix = prefix(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(RANDOM);
    // Temporary files are private by default; what is renamed is an ordinary file, whose mode the umask decides.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder_of(path))
}

/// Removes temporary files for `path` that a process left behind which was ended from outside. Only for a caller who knows
/// that no other process is writing `path`.
pub(crate) fn remove_leftovers(path: &Path) -> io::Result<()> {
    let prefix = prefix(path);
    for entry in fs::read_dir(folder_of(path))? {
        let name = entry?.file_name();
        let random = name.as_encoded_bytes().strip_prefix(prefix.as_encoded_bytes());
        let random = random.and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
        // Longer where the name is that of another output, which begins as this one does.
        if random.is_some_and(|random| random.len() == RANDOM) {
            fs::remove_file(folder_of(path).join(name))?;
        }
    }
    Ok(())
}

/// Waits until the names in the folder of `path` are on the disk: what is renamed is there after a power loss only then.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    // Windows does not open folders, and writes names to its log by itself.
    if !cfg!(unix) {
        return Ok(());
    }
    match fs::File::open(folder_of(path)).and_then(|folder| folder.sync_all()) {
        // Some file systems sync no folders, and some folders can be written and not opened: nothing more can be done.
        Err(e) if matches!(e.kind(), InvalidInput | PermissionDenied | Unsupported) => Ok(()),
        synced => synced,
    }
}

fn prefix(path: &Path) -> OsString {
    let mut prefix = OsString::from(".vgg-wgpu-");
    prefix.push(path.file_name().unwrap_or_default());
    prefix.push("-");
    prefix
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leftovers_of_the_same_output_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("a"), folder.path().join("a-b"));
        for path in [&ours, &theirs] {
            beside(path).unwrap().keep().unwrap();
        }
        fs::write(folder.path().join(".vgg-wgpu-a-notes.tmp.txt"), "").unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        remove_leftovers(&ours).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
        remove_leftovers(&theirs).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
