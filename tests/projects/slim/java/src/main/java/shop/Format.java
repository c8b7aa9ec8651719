package shop;

import java.util.List;

/** A way to write the products; found by its class name when it is asked for. */
public interface Format {
    String type();

    String write(List<Main.Product> products) throws Exception;
}
