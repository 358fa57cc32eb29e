//! Which files of a folder are images, and the key of each.
//!
//! A file **is an image** when its name has an image's extension or, where it has another or none, when its first bytes
//! are an image's. Everything else is **skipped**: hidden files (`.DS_Store`, `._photo.jpg`), folders, pipes, text.
//! Files with an image's extension are not opened here, so that a folder of a million photos is read once, by
//! [`super::load`]; one that turns out to be broken fails there.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::{Format, ImageError};
use crate::{Error, Result};

/// Extensions that announce an image. Some of these formats have no decoder here: such a file fails, and is reported,
/// instead of being passed over as junk.
const EXTENSIONS: [&str; 18] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "apng", "bmp", "dib", "gif", "webp", "tif", "tiff", "avif", "heic", "heif",
    "jp2", "jxl", "tga",
];

/// How many pairs of files with one key a message lists.
const LISTED_PAIRS: usize = 10;

/// What names an image in the output: the argument of `--key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// The file's name without its last extension: Python's `os.path.splitext(name)[0]`.
    #[default]
    Stem,
    /// The file's name.
    Name,
    /// The path below the folder, with `/` between its parts. Images in sub-folders count too.
    RelPath,
}

/// An image of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFile {
    /// Where it is: the folder's path and the path below it.
    pub path: PathBuf,
    /// What names it in the output.
    pub key: String,
}

/// Why a file of the folder was passed over.
#[derive(Debug)]
pub enum SkipReason {
    /// Its name begins with a dot.
    Hidden,
    /// A folder, where only [`KeyKind::RelPath`] looks into folders.
    Folder,
    /// A link to a folder, which is not followed: links may form a loop.
    LinkToFolder,
    /// A pipe, socket or device.
    NotAFile,
    /// Neither name nor content is an image's.
    NotAnImage,
    /// An image whose name is not Unicode, which no key of the output can hold.
    NameNotUnicode,
    /// The operating system refused.
    Unreadable(io::Error),
}

impl SkipReason {
    /// Whether an image was lost: to be counted with those that could not be decoded, not with the junk.
    pub fn is_failure(&self) -> bool {
        matches!(self, SkipReason::NameNotUnicode | SkipReason::Unreadable(_))
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SkipReason::Hidden => f.write_str("hidden"),
            SkipReason::Folder => f.write_str("a folder (--key relpath looks into folders)"),
            SkipReason::LinkToFolder => f.write_str("a link to a folder"),
            SkipReason::NotAFile => f.write_str("not a regular file"),
            SkipReason::NotAnImage => write!(f, "no {} file", Format::LIST),
            SkipReason::NameNotUnicode => f.write_str("its name is not Unicode and cannot be a key; rename it"),
            SkipReason::Unreadable(error) => write!(f, "cannot be read: {error}"),
        }
    }
}

/// How many images are tried at most to tell a damaged image from a lost disk.
const PROBES: usize = 16;

/// The error that a disk gives, or the way to it, and not a name or a permission.
fn disk_error(path: &Path) -> Option<io::Error> {
    use io::ErrorKind::{NotConnected, StaleNetworkFileHandle, TimedOut};
    let Err(ImageError::Io(error)) = super::read(path) else { return None };
    #[cfg(unix)]
    let lost = matches!(error.raw_os_error(), Some(libc::EIO | libc::ENXIO | libc::ENODEV));
    #[cfg(not(unix))]
    let lost = false;
    (lost || matches!(error.kind(), NotConnected | StaleNetworkFileHandle | TimedOut)).then_some(error)
}

/// The images of a folder.
#[derive(Debug)]
pub struct Dataset {
    /// The folder that was listed.
    pub folder: PathBuf,
    /// The images, sorted by the bytes of their keys, which are distinct.
    pub images: Vec<ImageFile>,
    /// Everything else, sorted by path.
    pub skipped: Vec<(PathBuf, SkipReason)>,
}

impl Dataset {
    /// The path of an entry below the folder, with `/` between its parts; what is not Unicode is replaced by U+FFFD.
    pub fn relative(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.folder).unwrap_or(path);
        let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        parts.join("/")
    }

    /// An error where not one image but the folder is what cannot be read, because its disk was unmounted or pulled out.
    /// `ahead` are places of images that nobody has read yet: what was read may still be in memory.
    pub fn check_disk(&self, ahead: &[usize]) -> io::Result<()> {
        fs::read_dir(&self.folder)?.next().transpose()?;
        if !self.images.iter().any(|image| image.path.symlink_metadata().is_ok()) {
            return Err(io::Error::other("none of its images is there any longer"));
        }
        // A damaged spot on a disk has neighbours that are whole.
        let probes = ahead.iter().rev().step_by(ahead.len() / PROBES + 1);
        let mut errors = probes.map(|&position| disk_error(&self.images[position].path));
        match errors.next().flatten() {
            Some(error) if errors.all(|error| error.is_some()) => Err(error),
            _ => Ok(()),
        }
    }

    /// The place of the image of this key in `images`.
    pub fn position(&self, key: &str) -> Option<usize> {
        self.images.binary_search_by(|image| image.key.as_str().cmp(key)).ok()
    }
}

/// Lists the images of a folder. Two images with one key, no image at all, a path that is no folder, and a list that breaks
/// off are errors.
pub fn scan(folder: &Path, key: KeyKind) -> Result<Dataset> {
    let metadata = fs::metadata(folder).map_err(Error::io("read the folder of images", folder))?;
    if !metadata.is_dir() {
        return Err(Error::Usage(format!("{} is a file; a folder of images was expected", folder.display())));
    }
    let mut dataset = Dataset { folder: folder.to_owned(), images: Vec::new(), skipped: Vec::new() };
    let depth = if key == KeyKind::RelPath { usize::MAX } else { 1 };
    let mut entries = WalkDir::new(folder).min_depth(1).max_depth(depth).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                dataset.skipped.push(unreadable(folder, error)?);
                continue;
            }
        };
        match classify(&entry, folder, key) {
            Ok(Some(key)) => dataset.images.push(ImageFile { path: entry.into_path(), key }),
            Ok(None) => {}
            Err(reason) => {
                if entry.file_type().is_dir() && depth > 1 {
                    entries.skip_current_dir();
                }
                dataset.skipped.push((entry.into_path(), reason));
            }
        }
    }
    dataset.images.sort_by(|a, b| a.key.cmp(&b.key));
    check_keys(folder, &dataset.images)?;
    if dataset.images.is_empty() {
        let (count, folder) = (dataset.skipped.len(), folder.display());
        return Err(Error::Usage(format!("{folder} holds no {} file ({count} other entries)", Format::LIST)));
    }
    Ok(dataset)
}

/// The key of an image, nothing for a folder whose content follows, or why the entry is passed over.
fn classify(entry: &DirEntry, folder: &Path, key: KeyKind) -> Result<Option<String>, SkipReason> {
    if entry.file_name().as_encoded_bytes().starts_with(b".") {
        return Err(SkipReason::Hidden);
    }
    let kind = entry.file_type();
    if kind.is_dir() {
        return if key == KeyKind::RelPath { Ok(None) } else { Err(SkipReason::Folder) };
    }
    // A link is what it points to. One that points to nothing is decided by its name, and fails when it is loaded.
    let target =
        if kind.is_symlink() { fs::metadata(entry.path()).ok().map(|target| target.file_type()) } else { Some(kind) };
    match target {
        Some(target) if target.is_dir() => return Err(SkipReason::LinkToFolder),
        Some(target) if !target.is_file() => return Err(SkipReason::NotAFile),
        _ => {}
    }
    if !has_image_extension(entry.path()) && !has_image_signature(entry.path()).map_err(SkipReason::Unreadable)? {
        return Err(SkipReason::NotAnImage);
    }
    key_of(entry.path(), folder, key).map(Some).ok_or(SkipReason::NameNotUnicode)
}

fn has_image_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(OsStr::to_str);
    extension.is_some_and(|extension| EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension)))
}

fn has_image_signature(path: &Path) -> io::Result<bool> {
    let mut start = Vec::with_capacity(Format::SIGNATURE_BYTES);
    File::open(path)?.take(Format::SIGNATURE_BYTES as u64).read_to_end(&mut start)?;
    Ok(Format::of_content(&start).is_some())
}

/// `None` where the name is not Unicode. `Path::file_stem` is Python's `splitext` for names without a leading dot.
fn key_of(path: &Path, folder: &Path, key: KeyKind) -> Option<String> {
    match key {
        KeyKind::Stem => path.file_stem()?.to_str().map(str::to_owned),
        KeyKind::Name => path.file_name()?.to_str().map(str::to_owned),
        KeyKind::RelPath => {
            let parts = path.strip_prefix(folder).ok()?.components();
            let parts: Option<Vec<&str>> = parts.map(|part| part.as_os_str().to_str()).collect();
            Some(parts?.join("/"))
        }
    }
}

/// What could not be listed, or the error that ends the scan where that is the folder itself, or a list that breaks off: how
/// many images are missing then, nobody knows.
fn unreadable(folder: &Path, error: walkdir::Error) -> Result<(PathBuf, SkipReason)> {
    let path = error.path().unwrap_or(folder).to_owned();
    // What an error is about has a name, but for the next entry of a list.
    let ends_the_scan = error.depth() == 0 || error.path().is_none();
    let source = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links"));
    if ends_the_scan {
        Err(Error::io("read the folder of images", path)(source))
    } else {
        Ok((path, SkipReason::Unreadable(source)))
    }
}

/// An error that lists the pairs of neighbours with one key in `images`, which are sorted by key.
fn check_keys(folder: &Path, images: &[ImageFile]) -> Result<()> {
    let name = |image: &ImageFile| image.path.strip_prefix(folder).unwrap_or(&image.path).display().to_string();
    let pairs = images.windows(2).filter(|pair| pair[0].key == pair[1].key);
    let count = pairs.clone().count();
    if count == 0 {
        return Ok(());
    }
    let listed: Vec<String> = pairs
        .take(LISTED_PAIRS)
        .map(|pair| format!("{:?}: {} and {}", pair[0].key, name(&pair[0]), name(&pair[1])))
        .collect();
    let more = if count > listed.len() { format!("\n  and {} more", count - listed.len()) } else { String::new() };
    Err(Error::Usage(format!(
        "{count} pairs of images in {} have one key and would overwrite each other; --key name keeps the extensions:\n  {}{more}",
        folder.display(),
        listed.join("\n  ")
    )))
}
