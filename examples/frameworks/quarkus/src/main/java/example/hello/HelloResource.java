package example.hello;

import jakarta.ws.rs.DefaultValue;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import org.jboss.resteasy.reactive.RestQuery;

@Path("/")
public class HelloResource {
    public record Greeting(String message) {}

    public record Health(String status) {}

    @GET
    @Path("hello")
    public Greeting hello(@RestQuery @DefaultValue("world") String name) {
        return new Greeting("Hello, " + name + "!");
    }

    @GET
    @Path("healthz")
    public Health health() {
        return new Health("up");
    }
}
