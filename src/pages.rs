//! The pages of memory that is about to be filled.

/// Has the system make the pages of `values` now, and says whether it did. Many at once take less time than one after the
/// other, as they are first written, if they are few enough to be still in the processor's cache by then. What is in them
/// stays.
///
/// Linux does so from 5.14 on. Elsewhere, and where it fails, nothing is lost: the pages come as they are written.
pub fn populate(values: &mut [f32]) -> bool {
    if values.is_empty() {
        return false;
    }
    #[cfg(target_os = "linux")]
    {
        // SAFETY: it only answers.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let range = values.as_mut_ptr_range();
        let before = range.start as usize % page;
        let bytes = before + size_of_val(values);
        // SAFETY: each of these pages holds some of the values, and is neither taken away nor changed.
        unsafe { libc::madvise(range.start.byte_sub(before).cast(), bytes, libc::MADV_POPULATE_WRITE) == 0 }
    }
    #[cfg(not(target_os = "linux"))]
    {
        false
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn pages_are_there_and_hold_what_they_held() {
        let mut values = vec![0f32; 1 << 20];
        (values[4999], values[5000]) = (1.0, 2.0);
        let populated = populate(&mut values[5000..900_000]);
        assert_eq!((values[4999], values[5000], values[5001]), (1.0, 2.0, 0.0));
        // From the middle, where nothing was written, to the end of what was asked for.
        let inside = &values[400_000..899_000];
        let page = inside.as_ptr().align_offset(65536);
        let inside = &inside[page..];
        let mut residence = vec![0u8; size_of_val(inside) / 4096 + 1];
        // SAFETY: a byte for each page, of which none is smaller.
        let asked = unsafe {
            libc::mincore(inside.as_ptr().cast_mut().cast(), size_of_val(inside), residence.as_mut_ptr().cast())
        };
        assert_eq!(asked, 0);
        let all = residence[..size_of_val(inside) / 65536].iter().all(|page| page & 1 == 1);
        assert!(all || !populated, "some pages are not there");
    }

    #[test]
    fn nothing_has_no_pages() {
        assert!(!populate(&mut []));
    }
}
