fn main() {
    println!("{}", itoa::Buffer::new().format(std::env::args().count()));
}
