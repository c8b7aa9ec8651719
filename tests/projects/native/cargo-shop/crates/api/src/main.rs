use std::io::{Read, Write};
use std::net::TcpListener;

fn main() -> std::io::Result<()> {
    let total = prices::total(&[1, 2, 3]).to_string();
    for client in TcpListener::bind("0.0.0.0:8080")?.incoming() {
        let mut client = client?;
        let _ = client.read(&mut [0; 1024]);
        let _ = write!(client, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", total.len(), total);
    }
    Ok(())
}
