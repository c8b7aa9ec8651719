package shop.formats;

import com.fasterxml.jackson.dataformat.csv.CsvMapper;
import java.util.List;
import shop.Format;
import shop.Main;

public final class Csv implements Format {
    public String type() {
        return "text/csv";
    }

    public String write(List<Main.Product> products) throws Exception {
        var mapper = new CsvMapper();
        return mapper.writer(mapper.schemaFor(Main.Product.class)).writeValueAsString(products);
    }
}
