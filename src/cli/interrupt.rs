//! Ctrl-C, and other ways to be told to stop.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{exit, say_always};

static STOP: AtomicBool = AtomicBool::new(false);

/// From now on the first SIGINT, SIGTERM or SIGHUP (on Windows Ctrl-C, Ctrl-Break or a closed console) sets the flag that is
/// returned, and the second ends the process at once. The first is answered with what becomes of the work `under_way`.
pub fn watch(under_way: &'static str) -> &'static AtomicBool {
    let hangups = Hangups::now();
    let handler = move || {
        if STOP.swap(true, Ordering::Relaxed) {
            exit_at_once();
        }
        say_always(&format!("stopping: {under_way}; once more to stop at once"));
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        // Nothing depends on it: what a killed run has computed is kept too.
        say_always(&format!("warning: cannot catch Ctrl-C: {error}"));
    }
    hangups.restore();
    &STOP
}

/// Ends the process without the clean-up at its exit, which may wait for a GPU's driver.
fn exit_at_once() -> ! {
    #[cfg(unix)]
    // SAFETY: it takes any number and never returns.
    unsafe {
        libc::_exit(exit::INTERRUPTED.into())
    }
    #[cfg(not(unix))]
    std::process::exit(exit::INTERRUPTED.into())
}

/// What a hangup does: `nohup` starts programs that ignore it, and must not lose that.
enum Hangups {
    #[cfg(unix)]
    Ignored,
    Taken,
}

impl Hangups {
    #[cfg(unix)]
    fn now() -> Hangups {
        // SAFETY: ignoring a signal installs no function.
        let before = unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
        if before == libc::SIG_IGN { Hangups::Ignored } else { Hangups::Taken }
    }

    #[cfg(not(unix))]
    fn now() -> Hangups {
        Hangups::Taken
    }

    fn restore(self) {
        match self {
            // SAFETY: as above.
            #[cfg(unix)]
            Hangups::Ignored => unsafe {
                libc::signal(libc::SIGHUP, libc::SIG_IGN);
            },
            Hangups::Taken => {}
        }
    }
}
