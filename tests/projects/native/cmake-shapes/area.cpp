double area(double radius) { return 3.0 * radius * radius; }
