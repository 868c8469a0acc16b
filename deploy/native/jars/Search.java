import java.io.IOException;
import org.codelibs.opensearch.runner.OpenSearchRunner;

/** One node of OpenSearch: {@code Search FOLDER PORT}. The runner's own main is silent about why a node does not start. */
public final class Search {
    public static void main(String[] arguments) throws InterruptedException {
        String folder = arguments[0];
        String port = arguments[1];
        OpenSearchRunner runner = new OpenSearchRunner();
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(runner)));
        runner.onBuild((number, settings) -> settings
            .put("discovery.type", "single-node")
            .put("http.host", "127.0.0.1")
            .put("http.port", port)
            // Nodes would talk to each other here: the same port of the second loopback address.
            .put("transport.host", "127.0.0.2")
            .put("transport.port", port)
            .put("node.processors", 2)
            // A disk that is nearly full must not make what is stored read-only.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            // Tests delete all indices of a prefix.
            .put("action.destructive_requires_name", false));
        try {
            runner.build(OpenSearchRunner.newConfigs().basePath(folder).clusterName("warren").numOfNode(1).useLogger());
        } catch (RuntimeException failure) {
            failure.printStackTrace();
            System.exit(1);
        }
        Thread.currentThread().join();
    }

    private static void close(OpenSearchRunner runner) {
        try {
            runner.close();
        } catch (IOException failure) {
            failure.printStackTrace();
        }
    }
}
