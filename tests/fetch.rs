//! `fetch` against a server on loopback that answers once, in ways good and bad.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use vgg_wgpu::Error;
use vgg_wgpu::fetch::{Download, Fetched, fetch};

/// The MD5 of "abc", from RFC 1321.
const ABC_MD5: &str = "900150983cd24fb0d6963f7d28e17f72";
/// Long, so that a busy machine does not fail the tests in which nothing stalls.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Serves one request with `answer`, and returns the request's head.
fn serve(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/weights.h5", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let head: Vec<String> = lines.map(|line| line.unwrap()).take_while(|line| !line.is_empty()).collect();
        answer(&mut stream);
        head.join("\n")
    });
    (url, server)
}

fn serve_text(text: &'static str) -> (String, JoinHandle<String>) {
    // A client that has seen enough may have hung up.
    serve(move |stream| drop(stream.write_all(text.as_bytes())))
}

fn download<'a>(url: &'a str, destination: &'a Path) -> Download<'a> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    Download { url, destination, md5: ABC_MD5, max_bytes: 100, timeout: TIMEOUT, stop: &NEVER }
}

/// Fetches `answer`, which must fail; returns the message, having checked what holds for every failure.
fn failure(timeout: Duration, answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.h5");
    fs::write(&path, "old").unwrap();
    let (url, server) = serve(answer);
    let error = fetch(&Download { timeout, ..download(&url, &path) }, |_, _| {}).unwrap_err();
    server.join().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left");
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains(&url) && message.contains(path.to_str().unwrap()), "{message}");
    message
}

fn failure_of_text(text: &'static str) -> String {
    failure(TIMEOUT, move |stream| drop(stream.write_all(text.as_bytes())))
}

#[test]
fn downloads_into_a_new_folder_and_reports_progress() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("models").join("weights.h5");
    let (url, server) = serve_text("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
    let mut seen = Vec::new();
    let fetched = fetch(&download(&url, &path), |received, total| seen.push((received, total))).unwrap();
    assert_eq!(fetched, Fetched::Downloaded);
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    assert_eq!(seen.last(), Some(&(3, Some(3))));
    let request = server.join().unwrap();
    assert!(request.starts_with("GET /weights.h5 HTTP/1.1"), "{request}");
    assert!(!request.to_lowercase().contains("gzip"), "{request}");
}

#[test]
fn leaves_a_right_file_alone_without_asking_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.h5");
    fs::write(&path, "abc").unwrap();
    // Nothing listens at port 9: a request would fail.
    let fetched = fetch(&download("http://127.0.0.1:9/", &path), |_, _| panic!("nothing to receive")).unwrap();
    assert_eq!(fetched, Fetched::AlreadyThere);
}

#[test]
fn replaces_a_file_with_another_md5() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.h5");
    fs::write(&path, "half a file").unwrap();
    // No length: the answer ends with the connection.
    let (url, server) = serve_text("HTTP/1.1 200 OK\r\n\r\nabc");
    assert_eq!(fetch(&download(&url, &path), |_, _| {}).unwrap(), Fetched::Replaced);
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    server.join().unwrap();
}

#[test]
fn a_status_that_is_not_success_is_named() {
    let message = failure_of_text("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc");
    assert!(message.contains("404"), "{message}");
}

#[test]
fn a_wrong_md5_is_named_with_the_right_one() {
    let message = failure_of_text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    // The MD5 of nothing, from RFC 1321.
    assert!(message.contains("MD5 d41d8cd98f00b204e9800998ecf8427e of 0 bytes"), "{message}");
    assert!(message.contains(ABC_MD5), "{message}");
}

#[test]
fn a_short_body_fails_even_where_its_md5_is_right() {
    let message = failure_of_text("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc");
    assert!(message.contains("3 of 50 bytes"), "{message}");
    let chunked = failure_of_text("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    assert!(chunked.contains("after 3 bytes"), "{chunked}");
}

#[test]
fn too_large_a_body_is_refused_with_and_without_a_length() {
    let announced = failure_of_text("HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\nabc");
    assert!(announced.contains("larger than the 100 bytes allowed"), "{announced}");
    let endless = failure(TIMEOUT, |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        while stream.write_all(&[b'a'; 4096]).is_ok() {}
    });
    assert!(endless.contains("larger than the 100 bytes allowed"), "{endless}");
}

#[test]
fn a_stalled_server_times_out_before_and_within_the_body() {
    let timeout = Duration::from_millis(200);
    for sent in ["", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc"] {
        // Without a timeout the client would see the connection close instead.
        let message = failure(timeout, move |stream| {
            stream.write_all(sent.as_bytes()).unwrap();
            thread::sleep(5 * timeout);
        });
        assert!(message.contains("timeout"), "{message}");
    }
}

#[test]
fn no_server_and_no_url_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.h5");
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for url in [format!("http://{unused}/"), "not a url".into(), "ftp://127.0.0.1/x".into()] {
        let message = fetch(&download(&url, &path), |_, _| {}).unwrap_err().to_string();
        assert!(message.contains(&url), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn told_to_stop_it_leaves_nothing() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let (url, server) = serve(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n").unwrap();
        while stream.write_all(b"a").is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    });
    let mut fetch = Command::new(env!("CARGO_BIN_EXE_vgg-wgpu"));
    let fetch = fetch.args(["fetch", "--url", &url]).env("KERAS_HOME", folder.path()).stderr(Stdio::piped());
    let fetch = fetch.spawn().unwrap();
    let files = || fs::read_dir(folder.path().join("models")).map_or(0, |entries| entries.count());
    while files() == 0 {
        thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &fetch.id().to_string()]).status().unwrap().success());
    let output = fetch.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(130) && said.contains("stopped before the end"), "{said}");
    assert_eq!(files(), 0);
    server.join().unwrap();
}
