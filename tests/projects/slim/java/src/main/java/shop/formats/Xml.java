package shop.formats;

import java.util.List;
import shop.Format;
import shop.Main;

public final class Xml implements Format {
    public String type() {
        return "application/xml";
    }

    public String write(List<Main.Product> products) throws Exception {
        return new com.fasterxml.jackson.dataformat.xml.XmlMapper().writeValueAsString(products);
    }
}
