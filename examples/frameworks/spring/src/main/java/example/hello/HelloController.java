package example.hello;

import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;

@RestController
class HelloController {
    record Greeting(String message) {}

    record Health(String status) {}

    @GetMapping("/hello")
    Greeting hello(@RequestParam(defaultValue = "world") String name) {
        return new Greeting("Hello, " + name + "!");
    }

    @GetMapping("/healthz")
    Health health() {
        return new Health("up");
    }
}
