package shop.formats;

import java.util.List;
import shop.Format;
import shop.Main;

public final class Yaml implements Format {
    public String type() {
        return "text/yaml";
    }

    public String write(List<Main.Product> products) throws Exception {
        return new com.fasterxml.jackson.dataformat.yaml.YAMLMapper().writeValueAsString(products);
    }
}
