package shop;

import io.javalin.Javalin;
import io.javalin.http.Context;
import io.javalin.http.staticfiles.Location;
import java.io.FileInputStream;
import java.io.StringWriter;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.sql.DriverManager;
import java.text.NumberFormat;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.format.FormatStyle;
import java.util.ArrayList;
import java.util.Currency;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.ResourceBundle;

/** A shop: templates, formats found by their class names, zones, locales, charsets, trust, a database. */
public final class Main {
    static final Instant INSTANT = Instant.parse("2026-07-01T12:00:00Z");

    public record Product(int id, String name, double price) {}

    public record Order(List<Line> items) {}

    public record Line(int id, int count) {}

    public static void main(String[] arguments) throws Exception {
        var settings = new Properties();
        try (var in = new FileInputStream(arguments[0])) {
            settings.load(in);
        }
        Path content = Path.of(settings.getProperty("content"));
        seed();
        var app = Javalin.create(config -> {
            config.showJavalinBanner = false;
            config.useVirtualThreads = false;
            config.staticFiles.add(files -> {
                files.hostedPath = "/content";
                files.directory = content.toString();
                files.location = Location.EXTERNAL;
            });
        });
        app.get("/", context -> render(context, "home", Map.of("title", settings.getProperty("title"))));
        app.get("/products", context -> {
            if ("application/json".equals(context.header("Accept"))) context.json(products());
            else render(context, "products", Map.of("products", products()));
        });
        app.get("/products/{id}", context -> {
            int id = Integer.parseInt(context.pathParam("id"));
            var found = products().stream().filter(product -> product.id() == id).findFirst();
            if (found.isPresent()) context.json(found.get());
            else context.status(404).json(words("error", "no such product"));
        });
        app.post("/orders", context -> {
            var order = context.bodyAsClass(Order.class);
            if (order.items() == null) {
                context.status(422).json(words("error", "items is missing"));
                return;
            }
            var all = products();
            double total = 0;
            for (var line : order.items()) total += all.get(line.id() - 1).price() * line.count();
            context.status(201).json(words("total", total));
        });
        app.get("/formats/{name}", context -> {
            try {
                var name = context.pathParam("name");
                var type = Class.forName("shop.formats." + name.substring(0, 1).toUpperCase(Locale.ROOT) + name.substring(1));
                var format = (Format) type.getDeclaredConstructor().newInstance();
                context.contentType(format.type()).result(format.write(products()));
            } catch (ClassNotFoundException | NoClassDefFoundError missing) {
                context.status(404).result("no such format");
            }
        });
        app.get("/time/<zone>", context -> {
            var zone = ZoneId.of(context.pathParam("zone"));
            context.json(words("local", INSTANT.atZone(zone).toString(), "short", DateTimeFormatter.ofPattern("zzz", Locale.UK).format(INSTANT.atZone(zone))));
        });
        app.get("/here", context -> context.json(words("zone", ZoneId.systemDefault().toString(), "charset", Charset.defaultCharset().name())));
        app.get("/money/{locale}", context -> {
            var locale = Locale.forLanguageTag(context.pathParam("locale"));
            var money = NumberFormat.getCurrencyInstance(locale);
            money.setCurrency(Currency.getInstance("EUR"));
            var day = DateTimeFormatter.ofLocalizedDate(FormatStyle.FULL).withLocale(locale).format(INSTANT.atZone(ZoneId.of("UTC")));
            context.json(words("price", money.format(1234.5), "day", day));
        });
        app.get("/words/{locale}", context ->
            context.json(words("hello", ResourceBundle.getBundle("words.words", Locale.forLanguageTag(context.pathParam("locale"))).getString("hello"))));
        app.get("/charset/{name}", context ->
            context.result(HexFormat.of().formatHex("Grüße, 日本".getBytes(Charset.forName(context.pathParam("name"))))));
        app.get("/hash/{name}", context ->
            context.result(HexFormat.of().formatHex(MessageDigest.getInstance(context.pathParam("name")).digest("the same words".getBytes(StandardCharsets.UTF_8)))));
        app.get("/cipher/{name}", context -> context.result(javax.crypto.Cipher.getInstance(context.pathParam("name").replace(':', '/')).getProvider().getName()));
        app.get("/curve/{name}", context -> {
            var pairs = java.security.KeyPairGenerator.getInstance(context.pathParam("name"));
            context.result(pairs.generateKeyPair().getPublic().getAlgorithm());
        });
        app.get("/trust", context -> {
            var factory = javax.net.ssl.TrustManagerFactory.getInstance(javax.net.ssl.TrustManagerFactory.getDefaultAlgorithm());
            factory.init((KeyStore) null);
            var manager = (javax.net.ssl.X509TrustManager) factory.getTrustManagers()[0];
            context.json(words("many", manager.getAcceptedIssuers().length > 100));
        });
        app.get("/tls", context -> context.json(List.of(javax.net.ssl.SSLContext.getDefault().getSupportedSSLParameters().getProtocols())));
        app.get("/xml", context -> {
            var tree = javax.xml.parsers.DocumentBuilderFactory.newInstance().newDocumentBuilder()
                .parse(new java.io.ByteArrayInputStream("<a><b>1</b><b>2</b></a>".getBytes(StandardCharsets.UTF_8)));
            var path = javax.xml.xpath.XPathFactory.newInstance().newXPath();
            context.result(path.evaluate(context.queryParam("path") == null ? "sum(//b)" : context.queryParam("path"), tree));
        });
        app.get("/script/{name}", context -> context.json(new javax.script.ScriptEngineManager().getEngineByName(context.pathParam("name")) != null));
        app.get("/picture/{kind}", context -> {
            var picture = new java.awt.image.BufferedImage(16, 16, java.awt.image.BufferedImage.TYPE_INT_RGB);
            for (int at = 0; at < 16; at++) picture.setRGB(at, at, 0xff0000);
            var out = new java.io.ByteArrayOutputStream();
            boolean known = javax.imageio.ImageIO.write(picture, context.pathParam("kind"), out);
            context.status(known ? 200 : 415).result(out.toByteArray());
        });
        app.get("/mime/{name}", context -> context.result(String.valueOf(Files.probeContentType(Path.of(context.pathParam("name"))))));
        app.get("/module/{name}", context -> context.json(ModuleLayer.boot().findModule(context.pathParam("name")).isPresent()));
        app.get("/logger", context -> {
            java.util.logging.Logger.getLogger("shop").fine("asked");
            context.result(java.util.logging.LogManager.getLogManager().getProperty("handlers"));
        });
        app.get("/management", context -> context.json(java.lang.management.ManagementFactory.getRuntimeMXBean().getVmName()));
        app.get("/who", context -> context.json(words("name", System.getProperty("user.name"), "home", System.getProperty("user.home"))));
        app.get("/files", context -> {
            try (var found = Files.walk(content)) {
                context.json(found.filter(Files::isRegularFile).map(path -> content.relativize(path).toString()).sorted().toList());
            }
        });
        app.get("/search", context -> {
            try (var connection = connect(); var statement = connection.prepareStatement("select name from products where name like ? order by name")) {
                statement.setString(1, "%" + context.queryParam("q") + "%");
                var rows = statement.executeQuery();
                var names = new ArrayList<String>();
                while (rows.next()) names.add(rows.getString(1));
                context.json(names);
            }
        });
        app.post("/echo", context -> context.contentType(context.contentType() == null ? "text/plain" : context.contentType()).result(context.bodyAsBytes()));
        app.put("/echo", context -> context.result(context.bodyAsBytes()));
        app.post("/gzip", context -> {
            var out = new java.io.ByteArrayOutputStream();
            try (var packing = new java.util.zip.GZIPOutputStream(out)) {
                packing.write(context.bodyAsBytes());
            }
            context.result(new java.util.zip.GZIPInputStream(new java.io.ByteArrayInputStream(out.toByteArray())).readAllBytes());
        });
        app.post("/form", context -> context.json(new java.util.TreeMap<>(context.formParamMap())));
        app.get("/cookie", context -> context.cookie("basket", "3").json(words("seen", String.valueOf(context.cookie("basket")))));
        app.get("/old", context -> context.redirect("/"));
        app.get("/status/{code}", context -> context.status(Integer.parseInt(context.pathParam("code"))));
        app.get("/broken", context -> { throw new IllegalStateException("as it was asked to"); });
        app.error(404, "html", context -> render(context, "missing", Map.of("path", context.path())));
        app.exception(NumberFormatException.class, (error, context) -> context.status(400).result("not a number"));
        app.exception(Exception.class, (error, context) -> context.status(500).result(error.getClass().getName()));
        app.start("0.0.0.0", Integer.parseInt(settings.getProperty("port")));
    }

    /** Sorted: the order of Map.of is another in every process. */
    private static Map<String, Object> words(Object... pairs) {
        var found = new java.util.TreeMap<String, Object>();
        for (int at = 0; at < pairs.length; at += 2) found.put((String) pairs[at], pairs[at + 1]);
        return found;
    }

    private static void render(Context context, String name, Map<String, ?> words) throws Exception {
        var templates = new freemarker.template.Configuration(freemarker.template.Configuration.VERSION_2_3_33);
        templates.setClassForTemplateLoading(Main.class, "/templates");
        var out = new StringWriter();
        templates.getTemplate(name + ".ftl").process(words, out);
        context.html(out.toString());
    }

    private static java.sql.Connection connect() throws Exception {
        return DriverManager.getConnection("jdbc:h2:mem:shop;DB_CLOSE_DELAY=-1");
    }

    private static void seed() throws Exception {
        try (var connection = connect(); var statement = connection.createStatement()) {
            statement.execute("create table products (id int primary key, name varchar, price double precision)");
            for (int n = 1; n <= 60; n++)
                statement.execute("insert into products values (" + n + ", 'article " + n * 7919 % 101 + "', " + (n * 37 % 1000) / 8.0 + ")");
        }
    }

    private static List<Product> products() throws Exception {
        var found = new ArrayList<Product>();
        try (var connection = connect(); var statement = connection.createStatement()) {
            var rows = statement.executeQuery("select id, name, price from products order by id");
            while (rows.next()) found.add(new Product(rows.getInt(1), rows.getString(2), rows.getDouble(3)));
        }
        return found;
    }
}
