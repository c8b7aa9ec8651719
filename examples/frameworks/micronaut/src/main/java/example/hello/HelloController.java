package example.hello;

import io.micronaut.http.annotation.Controller;
import io.micronaut.http.annotation.Get;
import io.micronaut.http.annotation.QueryValue;
import io.micronaut.serde.annotation.Serdeable;

@Controller
class HelloController {
    @Serdeable
    record Greeting(String message) {}

    @Serdeable
    record Health(String status) {}

    @Get("/hello")
    Greeting hello(@QueryValue(defaultValue = "") String name) {
        return new Greeting("Hello, " + (name.isEmpty() ? "world" : name) + "!");
    }

    @Get("/healthz")
    Health health() {
        return new Health("up");
    }
}
